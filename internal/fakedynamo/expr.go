package fakedynamo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A parser reads one expression. What it does not know, it refuses: document paths and the functions that no store of
// ours has asked for yet.
type parser struct {
	text   string
	tokens []token
	at     int
	names  map[string]string
	values map[string]value
	used   map[string]bool // placeholders
	wrong  *failure        // the first one
}

// A token is a word, a placeholder or a sign. The last one is empty.
type token struct {
	text     string
	from, to int
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isName reports whether a token can be the name of an attribute or a function.
func isName(t string) bool {
	return t != "" && ('a' <= t[0] && t[0] <= 'z' || 'A' <= t[0] && t[0] <= 'Z') &&
		!slices.Contains([]string{"AND", "OR", "NOT", "BETWEEN", "IN"}, strings.ToUpper(t))
}

// scan cuts an expression into tokens. A character that belongs to none is one of its own, at which the parser stumbles.
func scan(text string) (tokens []token) {
	for i := 0; i < len(text); {
		from := i
		c := text[i]
		i++
		switch {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			continue
		case isWord(c), c == '#', c == ':':
			for i < len(text) && isWord(text[i]) {
				i++
			}
		case c == '<' && i < len(text) && (text[i] == '=' || text[i] == '>'), c == '>' && i < len(text) && text[i] == '=':
			i++
		}
		tokens = append(tokens, token{text[from:i], from, i})
	}
	return append(tokens, token{"", len(text), len(text)})
}

func (p *parser) reset(text string) {
	p.text, p.tokens, p.at = text, scan(text), 0
}

func (p *parser) peek() string { return p.tokens[p.at].text }

func (p *parser) next() {
	if p.peek() != "" {
		p.at++
	}
}

// accept steps over the next token if it is t, a sign or a word in whatever case.
func (p *parser) accept(t string) bool {
	if !strings.EqualFold(p.peek(), t) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(t string) {
	if !p.accept(t) {
		p.stumble()
	}
}

// stumble says that nothing can be made of the text, which goes before all that is wrong with what it says. It leaves
// the parser, up to the call of parse.
func (p *parser) stumble() {
	token := strconv.Quote(p.peek())
	if p.peek() == "" {
		token = "<EOF>"
	}
	near := p.text[p.tokens[max(p.at-1, 0)].from:p.tokens[min(p.at+1, len(p.tokens)-1)].to]
	panic(invalid(fmt.Sprintf("Syntax error; token: %s, near: %q", token, near)))
}

// fail says what is wrong with the text. The parser goes on, to see whether there is a text at all.
func (p *parser) fail(format string, args ...any) {
	if p.wrong == nil {
		p.wrong = invalid(fmt.Sprintf(format, args...))
	}
}

// parse runs rule, which is to read the whole of text.
func parse[T any](p *parser, text, what string, rule func(*parser) T) (parsed T, err error) {
	defer func() {
		switch f := recover().(type) {
		case nil:
		case *failure:
			err = invalid("Invalid " + what + ": " + f.message)
		default:
			panic(f)
		}
	}()
	switch {
	case text == "":
		panic(invalid("The expression can not be empty;"))
	case len(text) > 4096:
		panic(invalid(fmt.Sprintf("Expression size has exceeded the maximum allowed size; expression size: %d", len(text))))
	}
	p.reset(text)
	parsed = rule(p)
	if p.peek() != "" {
		p.stumble()
	}
	if p.wrong != nil {
		panic(p.wrong)
	}
	return parsed, nil
}

// A condition says whether it holds for an item, which is empty if there is none.
type condition func(item) bool

func (p *parser) condition() condition {
	c, _ := p.or()
	return c
}

// or, and, not and primary also say whether what they read stood in parentheses as a whole.
func (p *parser) or() (c condition, inParens bool) {
	c, inParens = p.and()
	for p.accept("OR") {
		left := c
		right, _ := p.and()
		c, inParens = func(i item) bool { return left(i) || right(i) }, false
	}
	return c, inParens
}

func (p *parser) and() (c condition, inParens bool) {
	c, inParens = p.not()
	for p.accept("AND") {
		left := c
		right, _ := p.not()
		c, inParens = func(i item) bool { return left(i) && right(i) }, false
	}
	return c, inParens
}

func (p *parser) not() (c condition, inParens bool) {
	if p.accept("NOT") {
		c, _ := p.primary()
		return func(i item) bool { return !c(i) }, false
	}
	return p.primary()
}

func (p *parser) primary() (c condition, inParens bool) {
	if p.accept("(") {
		c, twice := p.or()
		p.expect(")")
		if twice {
			p.fail("The expression has redundant parentheses;")
		}
		return c, true
	}
	if name, args, ok := p.function(); ok && name != "size" {
		return p.predicate(name, args), false
	} else if ok {
		return p.comparison(p.size(args)), false
	}
	return p.comparison(p.operand()), false
}

// function reads a name and arguments in parentheses, if that is what comes.
func (p *parser) function() (name string, args []operand, ok bool) {
	name = p.peek()
	if !isName(name) || p.tokens[p.at+1].text != "(" {
		return "", nil, false
	}
	p.next()
	p.next()
	for {
		if inner, _, ok := p.function(); ok {
			p.misused(inner)
		}
		args = append(args, p.operand())
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return name, args, true
}

func (p *parser) misused(function string) {
	p.fail("The function is not allowed to be used this way in an expression; function: %s", function)
}

func (p *parser) arity(name string, args []operand, want int) {
	if len(args) != want {
		p.fail("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", name, len(args))
	}
}

// path is the attribute that an argument names.
func (p *parser) path(name string, arg operand) string {
	if arg.path == "" {
		p.fail("Operator or function requires a document path; operator or function: %s", name)
	}
	return arg.path
}

func (p *parser) predicate(name string, args []operand) condition {
	switch name {
	case "attribute_exists", "attribute_not_exists":
		p.arity(name, args, 1)
		path := p.path(name, args[0])
		return func(i item) bool {
			_, ok := i[path]
			return ok == (name == "attribute_exists")
		}
	}
	p.fail("Invalid function name; function: %s", name)
	return nil
}

func (p *parser) size(args []operand) operand {
	p.arity("size", args, 1)
	arg := args[0]
	if slices.Contains([]string{"N", "BOOL", "NULL"}, arg.kind) {
		p.fail("Incorrect operand type for operator or function; operator or function: size, operand type: %s", arg.kind)
	}
	return operand{kind: "N", of: func(i item) (value, bool) {
		v, ok := arg.of(i)
		if !ok {
			return value{}, false
		}
		n, ok := v.count()
		return value{kind: "N", text: strconv.Itoa(n)}, ok
	}}
}

// An operand has a value for an item, or none.
type operand struct {
	path string // if it is an attribute
	kind string // if it is known before there is an item
	of   func(item) (value, bool)
}

func (p *parser) operand() operand {
	if strings.HasPrefix(p.peek(), ":") {
		v := p.value()
		return operand{kind: v.kind, of: func(item) (value, bool) { return v, true }}
	}
	path := p.attribute()
	return operand{path: path, of: func(i item) (value, bool) {
		v, ok := i[path]
		return v, ok
	}}
}

func (p *parser) value() value {
	t := p.peek()
	if len(t) < 2 || t[0] != ':' {
		p.stumble()
	}
	v, ok := p.values[t]
	if !ok {
		p.fail("An expression attribute value used in expression is not defined; attribute value: %s", t)
	}
	p.used[t] = true
	p.next()
	return v
}

func (p *parser) attribute() string {
	t := p.peek()
	name := t
	switch {
	case len(t) > 1 && t[0] == '#':
		var ok bool
		if name, ok = p.names[t]; !ok {
			p.fail("An expression attribute name used in the document path is not defined; attribute name: %s", t)
		}
		p.used[t] = true
	case !isName(t):
		p.stumble()
	case isReserved(t):
		p.fail("Attribute name is a reserved keyword; reserved keyword: %s", t)
	}
	p.next()
	if p.peek() == "." || p.peek() == "[" {
		panic(invalid("fakedynamo knows no document paths"))
	}
	return name
}

// comparison reads what follows left.
func (p *parser) comparison(left operand) condition {
	sign := p.peek()
	holds := map[string]func(int) bool{
		"<":  func(c int) bool { return c < 0 },
		"<=": func(c int) bool { return c <= 0 },
		">":  func(c int) bool { return c > 0 },
		">=": func(c int) bool { return c >= 0 },
	}[sign]
	if holds == nil && sign != "=" && sign != "<>" {
		p.stumble()
	}
	p.next()
	right := p.comparand()
	if left.path != "" && left.path == right.path {
		p.fail("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: [%s]", sign, left.path)
	}
	if holds == nil {
		return func(i item) bool {
			v, ok := left.of(i)
			w, ok2 := right.of(i)
			return (ok && ok2 && v.equal(w)) == (sign == "=")
		}
	}
	for _, o := range []operand{left, right} {
		if o.kind != "" && !slices.Contains([]string{"S", "N", "B"}, o.kind) {
			p.fail("Incorrect operand type for operator or function; operator: %s, operand type: %s", sign, o.kind)
		}
	}
	return func(i item) bool {
		v, ok := left.of(i)
		w, ok2 := right.of(i)
		c, ordered := v.order(w)
		return ok && ok2 && ordered && holds(c)
	}
}

func (p *parser) comparand() operand {
	name, args, ok := p.function()
	switch {
	case !ok:
		return p.operand()
	case name != "size":
		p.misused(name)
	}
	return p.size(args)
}
