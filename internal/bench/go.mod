module github.com/seawall-go/seawall/internal/bench

go 1.26.0

replace github.com/seawall-go/seawall => ../..

require (
	github.com/failsafe-go/failsafe-go v0.9.8
	github.com/seawall-go/seawall v0.0.0-00010101000000-000000000000
	github.com/sony/gobreaker/v2 v2.4.0
	golang.org/x/time v0.16.0
)

require (
	github.com/bits-and-blooms/bitset v1.24.4 // indirect
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
)
