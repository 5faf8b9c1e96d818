package idempotency

// Canonical is the one form of a JSON text.
func Canonical(text []byte) ([]byte, error) { return canonicalRaw(text) }
