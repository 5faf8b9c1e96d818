package dynamostore

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// An expression is being put together: a condition, an update, and what their placeholders stand for.
type expression struct {
	condition string
	sets      []string
	removes   []string
	names     map[string]string
	values    map[string]types.AttributeValue
}

func newExpression() *expression {
	return &expression{names: make(map[string]string), values: make(map[string]types.AttributeValue)}
}

// name is a placeholder for the attribute of that name.
func (e *expression) name(attribute string) string {
	for placeholder, name := range e.names {
		if name == attribute {
			return placeholder
		}
	}
	placeholder := "#" + strconv.Itoa(len(e.names))
	e.names[placeholder] = attribute
	return placeholder
}

// value is a placeholder for v, which has to be used.
func (e *expression) value(v types.AttributeValue) string {
	placeholder := ":" + strconv.Itoa(len(e.values))
	e.values[placeholder] = v
	return placeholder
}

func (e *expression) text(s string) string { return e.value(text(s)) }

func (e *expression) number(n string) string {
	return e.value(&types.AttributeValueMemberN{Value: n})
}

func (e *expression) set(name, value string) { e.sets = append(e.sets, name+" = "+value) }

func (e *expression) remove(name string) { e.removes = append(e.removes, name) }

func (e *expression) setOrRemove(name, s string) {
	if s == "" {
		e.remove(name)
	} else {
		e.set(name, e.text(s))
	}
}

func (e *expression) update() *string {
	u := "SET " + strings.Join(e.sets, ", ")
	if e.removes != nil {
		u += " REMOVE " + strings.Join(e.removes, ", ")
	}
	return &u
}
