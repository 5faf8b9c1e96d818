package dynamostore

// Running is how many runs have transactions that are remembered.
func (s *Store) Running() (n int) {
	s.running.Range(func(any, any) bool { n++; return true })
	return n
}
