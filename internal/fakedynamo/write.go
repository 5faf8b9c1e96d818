package fakedynamo

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	maxItem      = 400 << 10
	maxPartition = 2048
	maxSort      = 1024
)

type capacity struct {
	TableName     string
	CapacityUnits float64
	Table         *struct{ CapacityUnits float64 } `json:",omitempty"`
}

// consumed is what an answer says of units, if it was asked.
func consumed(table, asked string, units float64) *capacity {
	c := &capacity{TableName: table, CapacityUnits: units}
	switch asked {
	case "INDEXES":
		c.Table = &struct{ CapacityUnits float64 }{units}
	case "TOTAL":
	default:
		return nil
	}
	return c
}

type getItemInput struct {
	TableName              string
	Key                    item
	ConsistentRead         bool
	ReturnConsumedCapacity string
}

func (s *Server) getItem(in getItemInput) (any, error) {
	s.needs("GetItem")
	t, err := s.ready(in.TableName)
	if err != nil {
		return nil, err
	}
	key, err := t.key(in.Key)
	if err != nil {
		return nil, err
	}
	items := t.items
	if _, written := t.before[key]; s.Lag && written && !in.ConsistentRead {
		items = t.before
	}
	i := items[key]
	units := max(math.Ceil(float64(i.size())/4096), 1)
	if !in.ConsistentRead {
		units /= 2
	}
	s.reads += units
	return struct {
		Item             item      `json:",omitempty"`
		ConsumedCapacity *capacity `json:",omitempty"`
	}{i, consumed(in.TableName, in.ReturnConsumedCapacity, units)}, nil
}

// key is where the item with that key is kept, and with no other attributes.
func (t *table) key(key item) (string, error) {
	if len(key) != len(t.KeySchema) {
		return "", invalid("The provided key element does not match the schema")
	}
	return t.keyOf(key, func(name string, v value, want string) *failure {
		switch {
		case v.kind != want:
			return invalid("The provided key element does not match the schema")
		case v.text == "":
			return invalid("One or more parameter values were invalid: " + emptyKey(v.kind, name))
		}
		return nil
	})
}

// keyInItem is where i is kept.
func (t *table) keyInItem(i item) (string, error) {
	return t.keyOf(i, func(name string, v value, want string) *failure {
		switch {
		case v.kind == "":
			return invalid("One or more parameter values were invalid: Missing the key " + name + " in the item")
		case v.kind != want:
			return invalid(fmt.Sprintf("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", name, want, v.kind))
		case v.text == "":
			return invalid("One or more parameter values are not valid. " + emptyKey(v.kind, name))
		}
		return nil
	})
}

func emptyKey(kind, name string) string {
	return fmt.Sprintf("The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s",
		map[string]string{"S": "string", "B": "binary"}[kind], name)
}

func (t *table) keyOf(i item, check func(name string, v value, want string) *failure) (string, error) {
	var b strings.Builder
	for n, element := range t.KeySchema {
		v := i[element.AttributeName]
		if f := check(element.AttributeName, v, keyType(element.AttributeName, t.AttributeDefinitions)); f != nil {
			return "", f
		}
		switch {
		case v.kind == "N":
		case n == 0 && len(v.text) > maxPartition:
			return "", invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes")
		case n == 1 && len(v.text) > maxSort:
			return "", invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
		}
		b.WriteString(strconv.Itoa(len(v.text)) + ":" + v.text)
	}
	return b.String(), nil
}

// A write is what PutItem, UpdateItem and DeleteItem have in common with the actions of a transaction.
type write struct {
	TableName                           string
	Item                                item
	Key                                 item
	UpdateExpression                    *string
	ConditionExpression                 *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           map[string]json.RawMessage
	ReturnValuesOnConditionCheckFailure string
}

type writeInput struct {
	write

	ReturnValues                string
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

// A plan is a write that has been read.
type plan struct {
	kind   string // Put, Update, Delete or ConditionCheck
	write  write
	update update
	holds  condition

	// What locate found.
	table *table
	key   string
	old   item // nil if there is none
}

// plan reads what can be read of w without looking at a table.
func (w write) plan(kind string) (*plan, error) {
	for _, unheard := range []struct {
		name string
		set  bool
	}{
		{"Item", w.Item != nil && kind != "Put"},
		{"Key", w.Key != nil && kind == "Put"},
		{"UpdateExpression", w.UpdateExpression != nil && kind != "Update"},
	} {
		if unheard.set {
			return nil, fmt.Errorf("%s has no %s", kind, unheard.name)
		}
	}
	if kind == "Put" && w.Item.size() > maxItem {
		return nil, invalid("Item size has exceeded the maximum allowed size")
	}
	pl := &plan{kind: kind, write: w, holds: func(item) bool { return true }}
	p := &parser{names: w.ExpressionAttributeNames, values: make(map[string]value), used: make(map[string]bool)}
	if err := w.placeholders(p); err != nil {
		return nil, err
	}
	var err error
	if w.UpdateExpression != nil {
		if pl.update, err = parse(p, *w.UpdateExpression, "UpdateExpression", (*parser).update); err != nil {
			return nil, err
		}
	}
	if w.ConditionExpression != nil {
		if pl.holds, err = parse(p, *w.ConditionExpression, "ConditionExpression", (*parser).condition); err != nil {
			return nil, err
		}
	}
	return pl, unused(p)
}

// placeholders hands the names and values of w to p.
func (w write) placeholders(p *parser) error {
	if w.UpdateExpression == nil && w.ConditionExpression == nil {
		switch {
		case w.ExpressionAttributeNames != nil:
			return invalid("ExpressionAttributeNames can only be specified when using expressions")
		case w.ExpressionAttributeValues != nil:
			return invalid("ExpressionAttributeValues can only be specified when using expressions")
		}
	}
	switch {
	case w.ExpressionAttributeNames != nil && len(w.ExpressionAttributeNames) == 0:
		return invalid("ExpressionAttributeNames must not be empty")
	case w.ExpressionAttributeValues != nil && len(w.ExpressionAttributeValues) == 0:
		return invalid("ExpressionAttributeValues must not be empty")
	}
	for name := range w.ExpressionAttributeNames {
		if !isPlaceholder(name, '#') {
			return invalid(fmt.Sprintf("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.ExpressionAttributeValues)) {
		if !isPlaceholder(name, ':') {
			return invalid(fmt.Sprintf("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", name))
		}
		var v value
		if err := json.Unmarshal(w.ExpressionAttributeValues[name], &v); err != nil {
			f := asFailure(err)
			if f.code == validation {
				f = invalid(fmt.Sprintf("ExpressionAttributeValues contains invalid value: %s for key %s", f.message, name))
			}
			return f
		}
		p.values[name] = v
	}
	return nil
}

func isPlaceholder(name string, sign byte) bool {
	return len(name) > 1 && name[0] == sign && strings.IndexFunc(name[1:], func(r rune) bool { return r > 127 || !isWord(byte(r)) }) < 0
}

// unused says which placeholders nobody used.
func unused(p *parser) error {
	var names, values []string
	for name := range p.names {
		if !p.used[name] {
			names = append(names, name)
		}
	}
	for name := range p.values {
		if !p.used[name] {
			values = append(values, name)
		}
	}
	slices.Sort(names)
	slices.Sort(values)
	switch {
	case names != nil:
		return invalid(fmt.Sprintf("Value provided in ExpressionAttributeNames unused in expressions: keys: {%s}", strings.Join(names, ", ")))
	case values != nil:
		return invalid(fmt.Sprintf("Value provided in ExpressionAttributeValues unused in expressions: keys: {%s}", strings.Join(values, ", ")))
	}
	return nil
}

// locate finds the item that pl is about.
func (pl *plan) locate(s *Server) (err error) {
	if pl.table, err = s.ready(pl.write.TableName); err != nil {
		return err
	}
	if pl.kind == "Put" {
		pl.key, err = pl.table.keyInItem(pl.write.Item)
	} else {
		pl.key, err = pl.table.key(pl.write.Key)
	}
	if err != nil {
		return err
	}
	for _, k := range pl.table.KeySchema {
		if slices.Contains(pl.update.paths(), k.AttributeName) {
			return invalid(fmt.Sprintf("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", k.AttributeName))
		}
	}
	pl.old = pl.table.items[pl.key]
	return nil
}

// judge says what the item is to be, nil for none, or why it is not to change.
func (pl *plan) judge(s *Server) (updated item, err error) {
	if !pl.holds(pl.old) {
		f := &failure{code: "ConditionalCheckFailedException", message: "The conditional request failed"}
		if pl.write.ReturnValuesOnConditionCheckFailure == "ALL_OLD" && !s.HideOld {
			f.old = pl.old
		}
		return nil, f
	}
	switch pl.kind {
	case "Put":
		updated = pl.write.Item
	case "ConditionCheck":
		updated = pl.old
	case "Update":
		base := pl.old
		if base == nil {
			base = pl.write.Key
		}
		updated, err = pl.update.apply(base)
		if err == nil && updated.size() > maxItem {
			err = invalid("Item size to update has exceeded the maximum allowed size")
		}
	}
	return updated, err
}

// units is what a write costs, refused or not: it is paid by the larger of both items.
func (pl *plan) units(updated item) float64 {
	return max(math.Ceil(float64(max(pl.old.size(), updated.size()))/1024), 1)
}

func (pl *plan) apply(updated item) {
	if pl.kind == "ConditionCheck" {
		return
	}
	pl.table.before[pl.key] = pl.old
	if updated == nil {
		delete(pl.table.items, pl.key)
	} else {
		pl.table.items[pl.key] = updated
	}
}

func (s *Server) putItem(in writeInput) (any, error)    { return s.one("Put", in) }
func (s *Server) updateItem(in writeInput) (any, error) { return s.one("Update", in) }
func (s *Server) deleteItem(in writeInput) (any, error) { return s.one("Delete", in) }

// one carries out a write that is not part of a transaction.
func (s *Server) one(kind string, in writeInput) (any, error) {
	s.needs(kind + "Item")
	if kind != "Update" && !slices.Contains([]string{"", "NONE", "ALL_OLD"}, in.ReturnValues) {
		return nil, invalid("ReturnValues can only be ALL_OLD or NONE")
	}
	pl, err := in.plan(kind)
	if err != nil {
		return nil, err
	}
	if err := pl.locate(s); err != nil {
		return nil, err
	}
	updated, err := pl.judge(s)
	if err != nil && asFailure(err).code == validation {
		return nil, err
	}
	units := pl.units(updated)
	s.writes += units
	if err != nil {
		return nil, err
	}
	pl.apply(updated)
	return struct {
		Attributes       item      `json:",omitempty"`
		ConsumedCapacity *capacity `json:",omitempty"`
	}{pl.returned(in.ReturnValues, updated), consumed(in.TableName, in.ReturnConsumedCapacity, units)}, nil
}

// returned are the attributes that ReturnValues asks for.
func (pl *plan) returned(asked string, updated item) item {
	only := func(i item) item {
		part := make(item)
		for _, path := range pl.update.paths() {
			if v, ok := i[path]; ok {
				part[path] = v
			}
		}
		return part
	}
	switch asked {
	case "ALL_OLD":
		return pl.old
	case "UPDATED_OLD":
		return only(pl.old)
	case "ALL_NEW":
		return updated
	case "UPDATED_NEW":
		return only(updated)
	}
	return nil
}
