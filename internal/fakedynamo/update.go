package fakedynamo

import (
	"maps"
	"slices"
	"strings"
)

// An update is what an update expression does.
type update struct {
	actions []action
}

// An action writes one attribute: it gets the item as it was, and returns what the attribute is to be, or that there is
// to be none.
type action struct {
	path string
	do   func(old item) (v value, keep bool)
}

// apply returns a copy of i with all that u does. Every action sees i as it was.
func (u update) apply(i item) (updated item, err error) {
	defer func() {
		switch f := recover().(type) {
		case nil:
		case *failure:
			err = f
		default:
			panic(f)
		}
	}()
	updated = maps.Clone(i)
	for _, a := range u.actions {
		if v, keep := a.do(i); keep {
			updated[a.path] = v
		} else {
			delete(updated, a.path)
		}
	}
	return updated, nil
}

// paths are the attributes that u writes.
func (u update) paths() (paths []string) {
	for _, a := range u.actions {
		paths = append(paths, a.path)
	}
	return paths
}

func (p *parser) update() (u update) {
	sections := map[string]func() action{"SET": p.set, "REMOVE": p.remove, "ADD": p.add}
	var seen []string
	for seen == nil || p.peek() != "" {
		section := strings.ToUpper(p.peek())
		read, ok := sections[section]
		switch {
		case !ok:
			p.stumble()
		case slices.Contains(seen, section):
			p.fail("The %q section can only be used once in an update expression;", section)
		}
		seen = append(seen, section)
		p.next()
		for {
			a := read()
			if slices.Contains(u.paths(), a.path) {
				p.fail("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [%s], path two: [%[1]s]", a.path)
			}
			u.actions = append(u.actions, a)
			if !p.accept(",") {
				break
			}
		}
	}
	return u
}

func (p *parser) set() action {
	path := p.attribute()
	p.expect("=")
	left := p.term()
	sign := p.peek()
	if sign != "+" && sign != "-" {
		return action{path, func(old item) (value, bool) { return must(left, old), true }}
	}
	p.next()
	right := p.term()
	for _, o := range []operand{left, right} {
		if o.kind != "" && o.kind != "N" {
			p.fail("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", sign, o.kind)
		}
	}
	return action{path, func(old item) (value, bool) {
		v, w := must(left, old), must(right, old)
		if v.kind != "N" || w.kind != "N" {
			panic(invalid("An operand in the update expression has an incorrect data type"))
		}
		return sum(v, w, sign == "-"), true
	}}
}

// sum is v + w, or v - w.
func sum(v, w value, minus bool) value {
	n := mustNumber(v.text).plus(mustNumber(w.text), minus)
	if err := n.check(); err != nil {
		panic(err)
	}
	return value{kind: "N", text: n.String()}
}

// must is the value of o, which an update cannot do without.
func must(o operand, i item) value {
	v, ok := o.of(i)
	if !ok {
		panic(invalid("The provided expression refers to an attribute that does not exist in the item"))
	}
	return v
}

// term is what can stand on the right of an assignment.
func (p *parser) term() operand {
	if p.tokens[min(p.at+1, len(p.tokens)-1)].text != "(" {
		return p.operand()
	}
	name := p.peek()
	if !isName(name) {
		p.stumble()
	}
	p.next()
	p.next()
	if name != "if_not_exists" {
		p.fail("Invalid function name; function: %s", name)
	}
	args := []operand{p.term()}
	for p.accept(",") {
		args = append(args, p.term())
	}
	p.expect(")")
	p.arity(name, args, 2)
	path, other := p.path(name, args[0]), args[len(args)-1]
	return operand{of: func(i item) (value, bool) {
		if v, ok := i[path]; ok {
			return v, true
		}
		return other.of(i)
	}}
}

func (p *parser) remove() action {
	return action{p.attribute(), func(item) (value, bool) { return value{}, false }}
}

func (p *parser) add() action {
	path, added := p.attribute(), p.value()
	if names := map[string]string{"S": "STRING", "B": "BINARY", "NULL": "NULL", "BOOL": "BOOLEAN", "L": "LIST", "M": "MAP"}; names[added.kind] != "" {
		p.fail("Incorrect operand type for operator or function; operator: ADD, operand type: %s", names[added.kind])
	}
	return action{path, func(old item) (value, bool) {
		v, ok := old[path]
		switch {
		case !ok:
			return added, true
		case v.kind != added.kind:
			panic(invalid("An operand in the update expression has an incorrect data type"))
		case v.kind == "N":
			return sum(v, added, false), true
		}
		v.set = slices.Clone(v.set)
		for _, member := range added.set {
			if !slices.Contains(v.set, member) {
				v.set = append(v.set, member)
			}
		}
		return v, true
	}}
}
