module github.com/seawall-go/seawall/internal/bench

go 1.26.0

replace github.com/seawall-go/seawall => ../..

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/failsafe-go/failsafe-go v0.9.8 // indirect
	github.com/sony/gobreaker/v2 v2.4.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)
