package fakedynamo

import (
	"fmt"
	"strconv"
	"time"
)

type table struct {
	description
	items  map[string]item
	before map[string]item // as they were before their last write
	ttl    string          // the attribute, or empty
}

type description struct {
	TableName            string
	AttributeDefinitions []attribute
	KeySchema            []keyElement
	BillingModeSummary   *billing `json:",omitempty"`
	TableStatus          string
	TableArn             string
	CreationDateTime     float64
	created              time.Time
}

type billing struct{ BillingMode string }

type attribute struct{ AttributeName, AttributeType string }

type keyElement struct{ AttributeName, KeyType string }

type createTableInput struct {
	TableName             string
	AttributeDefinitions  []attribute
	KeySchema             []keyElement
	BillingMode           string
	ProvisionedThroughput *struct{ ReadCapacityUnits, WriteCapacityUnits int64 }
	Tags                  []struct{ Key, Value string }
}

func (s *Server) createTable(in createTableInput) (any, error) {
	s.needs("CreateTable")
	if len(in.TableName) < 3 || len(in.TableName) > 255 {
		return nil, invalid("TableName must be at least 3 characters long and at most 255 characters long")
	}
	if (in.BillingMode == "PAY_PER_REQUEST") == (in.ProvisionedThroughput != nil) {
		return nil, invalid("One or more parameter values were invalid: Throughput is specified when and only when BillingMode is PROVISIONED")
	}
	if err := in.checkKey(); err != nil {
		return nil, err
	}
	if s.tables[in.TableName] != nil {
		return nil, &failure{code: "ResourceInUseException", message: "Table already exists: " + in.TableName}
	}
	now := time.Now()
	t := &table{
		description: description{
			TableName:            in.TableName,
			AttributeDefinitions: in.AttributeDefinitions,
			KeySchema:            in.KeySchema,
			TableArn:             "arn:aws:dynamodb:us-east-1:000000000000:table/" + in.TableName,
			CreationDateTime:     float64(now.UnixMilli()) / 1000,
			created:              now,
		},
		items:  make(map[string]item),
		before: make(map[string]item),
	}
	if in.BillingMode == "PAY_PER_REQUEST" {
		t.BillingModeSummary = &billing{in.BillingMode}
	}
	if s.tables == nil {
		s.tables = make(map[string]*table)
	}
	s.tables[in.TableName] = t
	t.TableStatus = "CREATING"
	return struct{ TableDescription description }{t.description}, nil
}

func (in createTableInput) checkKey() error {
	switch n := len(in.KeySchema); {
	case n < 1 || n > 2 || in.KeySchema[0].KeyType != "HASH":
		return invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case n == 2 && in.KeySchema[1].KeyType != "RANGE":
		return invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	case n == 2 && in.KeySchema[0].AttributeName == in.KeySchema[1].AttributeName:
		return invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	case n != len(in.AttributeDefinitions):
		return invalid("One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	for _, k := range in.KeySchema {
		if keyType(k.AttributeName, in.AttributeDefinitions) == "" {
			return invalid("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions.")
		}
	}
	return nil
}

func keyType(name string, definitions []attribute) string {
	for _, d := range definitions {
		if d.AttributeName == name {
			return d.AttributeType
		}
	}
	return ""
}

// find is the table of that name, whatever its status.
func (s *Server) find(name string) (*table, error) {
	t := s.tables[name]
	if t == nil {
		return nil, &failure{code: "ResourceNotFoundException", message: "Requested resource not found: Table: " + name + " not found"}
	}
	t.TableStatus = "ACTIVE"
	if time.Since(t.created) < s.Creating {
		t.TableStatus = "CREATING"
	}
	return t, nil
}

// ready is the table of that name if items can be read from it and written to it.
func (s *Server) ready(name string) (*table, error) {
	t, err := s.find(name)
	if err != nil || t.TableStatus != "ACTIVE" {
		return nil, &failure{code: "ResourceNotFoundException", message: "Requested resource not found"}
	}
	return t, nil
}

type tableInput struct{ TableName string }

func (s *Server) describeTable(in tableInput) (any, error) {
	s.needs("DescribeTable")
	t, err := s.find(in.TableName)
	if err != nil {
		return nil, err
	}
	return struct{ Table description }{t.description}, nil
}

type timeToLive struct {
	AttributeName string
	Enabled       bool
}

type updateTimeToLiveInput struct {
	TableName               string
	TimeToLiveSpecification timeToLive
}

func (s *Server) updateTimeToLive(in updateTimeToLiveInput) (any, error) {
	s.needs("UpdateTimeToLive")
	t, err := s.find(in.TableName)
	spec := in.TimeToLiveSpecification
	switch {
	case err != nil:
		return nil, err
	case t.TableStatus != "ACTIVE":
		return nil, &failure{code: "ResourceInUseException", message: "Table is being created: " + in.TableName}
	case spec.AttributeName == "":
		return nil, invalid("1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case spec.Enabled == (t.ttl != ""):
		return nil, invalid("TimeToLive is already " + map[bool]string{true: "enabled", false: "disabled"}[spec.Enabled])
	}
	t.ttl = map[bool]string{true: spec.AttributeName}[spec.Enabled]
	return struct{ TimeToLiveSpecification timeToLive }{spec}, nil
}

func (s *Server) describeTimeToLive(in tableInput) (any, error) {
	s.needs("DescribeTimeToLive")
	t, err := s.find(in.TableName)
	if err != nil {
		return nil, err
	}
	type d struct {
		TimeToLiveStatus string
		AttributeName    string `json:",omitempty"`
	}
	out := d{"DISABLED", t.ttl}
	if t.ttl != "" {
		out.TimeToLiveStatus = "ENABLED"
	}
	return struct{ TimeToLiveDescription d }{out}, nil
}

// Sweep deletes what has expired by now according to the tables' time to live, and says how many items that were. The
// real thing takes up to two days for it.
func (s *Server) Sweep(now time.Time) (swept int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tables {
		for key, i := range t.items {
			v := i[t.ttl]
			if v.kind != "N" {
				continue
			}
			// What is older than five years is taken for something else than a time.
			at, err := strconv.ParseInt(v.text, 10, 64)
			if err != nil || !time.Unix(at, 0).Before(now) || time.Unix(at, 0).Before(now.AddDate(-5, 0, 0)) {
				continue
			}
			t.before[key] = i
			delete(t.items, key)
			swept++
		}
	}
	return swept
}

// Len is how many items a table has.
func (s *Server) Len(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[name]
	if t == nil {
		panic(fmt.Sprintf("fakedynamo: there is no table %q", name))
	}
	return len(t.items)
}
