package emf_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seawall-go/seawall/middleware/tracing/emf"
)

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// Lines of exports at once do not mix.
func TestConcurrentExports(t *testing.T) {
	var out bytes.Buffer
	e := emf.New(emf.Config{Writer: writerFunc(func(b []byte) (int, error) {
		for _, c := range b {
			out.WriteByte(c)
			runtime.Gosched()
		}
		return len(b), nil
	})})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				if err := e.Export(t.Context(), read("m", gauge(1))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	lines := 0
	for line := range bytes.Lines(out.Bytes()) {
		lines++
		if _, err := parse(line); err != nil {
			t.Error(err)
		}
	}
	if lines != 20 {
		t.Errorf("%d lines, want 20", lines)
	}
}

// TestRegression_LineCutShort: a Write that took a part of a line spoiled the next line too, which went on where the first
// had ended; and one that took a part without an error lost the rest silently.
func TestRegression_LineCutShort(t *testing.T) {
	const all = 1 << 20
	broken := errors.New("broken pipe")
	for _, tt := range []struct {
		takes []int // how much of each Write
		err   error
		want  string // one letter for each line in the end: good, bad or empty
	}{
		{[]int{0}, broken, "g"},
		{[]int{10}, broken, "bg"},
		{[]int{10}, nil, "bg"},
		{[]int{10, 0}, broken, "bg"},
		{[]int{10, 1}, broken, "beg"},
		{[]int{10, all, 10, 20}, broken, "bgbbg"},
		{[]int{all}, broken, "gg"},
	} {
		var out bytes.Buffer
		writes := 0
		e := emf.New(emf.Config{Writer: writerFunc(func(b []byte) (int, error) {
			if writes++; writes > len(tt.takes) {
				return out.Write(b)
			}
			n, _ := out.Write(b[:min(tt.takes[writes-1], len(b))])
			return n, tt.err
		})})
		for range tt.takes {
			if err := e.Export(t.Context(), read("m", gauge(1))); !errors.Is(err, cmp.Or(tt.err, io.ErrShortWrite)) {
				t.Errorf("takes %d: %v", tt.takes, err)
			}
		}
		if err := e.Export(t.Context(), read("m", gauge(1))); err != nil {
			t.Errorf("takes %d: %v", tt.takes, err)
		}
		var got []byte
		for line := range bytes.Lines(out.Bytes()) {
			switch _, err := parse(line); {
			case err == nil:
				got = append(got, 'g')
			case len(line) == 1:
				got = append(got, 'e')
			default:
				got = append(got, 'b')
			}
		}
		if string(got) != tt.want {
			t.Errorf("takes %d: %s, want %s:\n%s", tt.takes, got, tt.want, &out)
		}
	}
}

// TestRegression_ShutdownWaits: Shutdown waited for a Write that hung, whatever its context said.
func TestRegression_ShutdownWaits(t *testing.T) {
	var e *emf.Exporter
	e = emf.New(emf.Config{Writer: writerFunc(func(b []byte) (int, error) {
		if err := errors.Join(e.ForceFlush(t.Context()), e.Shutdown(t.Context())); err != nil {
			t.Error(err)
		}
		return len(b), nil
	})})
	if err := e.Export(t.Context(), read("m", gauge(1))); err != nil {
		t.Error(err)
	}
	if err := e.Export(t.Context(), read("m", gauge(1))); !errors.Is(err, metric.ErrExporterShutdown) {
		t.Errorf("after Shutdown: %v", err)
	}
}

// A line that cannot be written is not in the way of the next.
func TestWriterFails(t *testing.T) {
	writes := 0
	e := emf.New(emf.Config{Dimensions: []string{"d"}, Writer: writerFunc(func(b []byte) (int, error) {
		if writes++; writes == 1 {
			return 0, errors.New("broken pipe")
		}
		return len(b), nil
	})})
	g := gauge(1, 2)
	g.DataPoints[0].Attributes = attribute.NewSet(attribute.Int("d", 1))
	if err := e.Export(t.Context(), read("m", g)); err == nil || err.Error() != "emf: broken pipe" || writes != 2 {
		t.Errorf("Export = %v after %d writes, want the error and both written", err, writes)
	}
}

func TestLifecycle(t *testing.T) {
	var out bytes.Buffer
	e := emf.New(emf.Config{Writer: &out})
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, step := range []struct {
		got, want error
	}{
		{e.ForceFlush(over), context.Canceled},
		{e.ForceFlush(t.Context()), nil},
		{e.Shutdown(t.Context()), nil},
		{e.Shutdown(t.Context()), metric.ErrExporterShutdown},
		{e.Export(t.Context(), read("m", gauge(1))), metric.ErrExporterShutdown},
	} {
		if !errors.Is(step.got, step.want) || (step.want == nil) != (step.got == nil) {
			t.Errorf("%v, want %v", step.got, step.want)
		}
	}
	if out.Len() > 0 {
		t.Errorf("wrote %s", &out)
	}
}
