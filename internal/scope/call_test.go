package scope_test

import (
	"context"
	"testing"

	"github.com/seawall-go/seawall/internal/scope"
)

// a looker looks at values equal to it.
type looker struct {
	at any
	n  int
}

func (l looker) Looks(at any) int {
	if at == l.at {
		return l.n
	}
	return 0
}

type shown struct{}

func (shown) Shown() {}

func TestLooking(t *testing.T) {
	policies := []any{looker{"in", 1}, "none", looker{"in", 2}, looker{"out", 1}}
	for _, test := range []struct {
		at   []any
		want int
	}{
		{nil, 0},
		{[]any{"in"}, 3},
		{[]any{"in", "out"}, 3},
		{[]any{nil, "out"}, 1},
		{[]any{"else"}, 0},
		{[]any{shown{}, "in"}, 0},
	} {
		if got := scope.Looking(policies, test.at...); got != test.want {
			t.Errorf("Looking at %v = %d, want %d", test.at, got, test.want)
		}
	}
}

func TestCall(t *testing.T) {
	(*scope.Call)(nil).Return(scope.Result{Status: 200})
	outer, inner := &scope.Call{In: "outer"}, &scope.Call{In: "inner"}
	ctx := scope.Show(t.Context(), outer)
	if scope.Shown(t.Context()) != nil || scope.Shown(ctx) != outer || scope.Shown(scope.Show(ctx, inner)) != inner {
		t.Error("Shown is not the innermost call")
	}
	if got := outer.Result(); got != (scope.Result{}) {
		t.Errorf("before a call the result is %v", got)
	}
	want := scope.Result{Out: "out", Status: 204, Route: "/"}
	outer.Return(scope.Result{Status: 500})
	outer.Return(want)
	if got := outer.Result(); got != want {
		t.Errorf("Result = %v, want %v", got, want)
	}
}

type injector struct {
	context.Context //nolint:containedctx // it is a context
}

func (i injector) Value(key any) any {
	if scope.IsInjector(key) {
		return i
	}
	return i.Context.Value(key)
}

func (injector) Inject(ctx context.Context, header map[string][]string) {
	header["Who"] = []string{ctx.Value(key{}).(string)}
}

func TestInjecting(t *testing.T) {
	if scope.Injecting(t.Context()) != nil {
		t.Error("somebody injects")
	}
	header := make(map[string][]string)
	ctx := context.WithValue(injector{t.Context()}, key{}, "me")
	scope.Injecting(ctx).Inject(ctx, header)
	if len(header) != 1 || header["Who"][0] != "me" {
		t.Errorf("the header is %v", header)
	}
}

func TestTake(t *testing.T) {
	c := new(scope.Call)
	if !c.Take() || c.Take() || !new(scope.Call).Take() {
		t.Error("a call is not taken once")
	}
}

type repeater bool

func (r repeater) Repeats() bool { return bool(r) }

// several is a policy made of several.
type several []any

func (s several) Looks(at any) int     { return scope.Looking(s, at) }
func (s several) Repeated(at any) bool { return scope.Repeated(s, at) }
func (several) Repeats() bool          { return true }

func TestRepeated(t *testing.T) {
	look, retry, once := looker{"in", 1}, repeater(true), repeater(false)
	for _, test := range []struct {
		policies []any
		want     bool
	}{
		{nil, false},
		{[]any{retry}, false},
		{[]any{look}, false},
		{[]any{retry, look}, false},
		{[]any{look, once, looker{"else", 1}}, false},
		{[]any{look, retry, once}, true},
		{[]any{look, retry, look}, false},
		{[]any{several{look, retry}}, true},
		{[]any{several{retry, look}}, false},
		{[]any{look, several{retry}}, true},
	} {
		if got := scope.Repeated(test.policies, "in"); got != test.want {
			t.Errorf("Repeated of %v = %v", test.policies, got)
		}
	}
}
