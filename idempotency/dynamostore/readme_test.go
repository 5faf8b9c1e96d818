package dynamostore_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/seawall-go/seawall/idempotency"
	"github.com/seawall-go/seawall/internal/fakedynamo"
)

// fences are the blocks of code in the README, by language.
func fences(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := make(map[string][]string)
	for _, m := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		blocks[m[1]] = append(blocks[m[1]], m[2])
	}
	return blocks
}

// needed are the permissions for all that a Store does, once with an old item and once without.
func needed(t *testing.T) []string {
	t.Helper()
	var actions []string
	for _, hide := range []bool{false, true} {
		fake := &fakedynamo.Server{HideOld: hide}
		s, _ := open(t, fake)
		for _, verb := range verbs {
			a := ask(verb.name, "A")
			win(t, s, a)
			if err := verb.do(t.Context(), s, a); err != nil {
				t.Fatal(err)
			}
			_, _ = s.Claim(t.Context(), ask(a.Key, "B"))
		}
		once := idempotency.Config{Store: s, Scope: "orders"}
		if _, err := idempotency.Do(t.Context(), once, "key", func(ctx context.Context) (int, error) { return 7, s.CompleteTx(ctx, 7) }); err != nil {
			t.Fatal(err)
		}
		actions = append(actions, fake.Actions()...)
	}
	slices.Sort(actions)
	// CreateTable made the table.
	return slices.DeleteFunc(slices.Compact(actions), func(a string) bool { return strings.Contains(a, "Table") || strings.Contains(a, "TimeToLive") })
}

func TestTheReadmeAllowsWhatIsNeededAndNoMore(t *testing.T) {
	want, blocks := needed(t), fences(t)
	if len(blocks["json"]) != 1 || len(blocks["yaml"]) != 2 || len(blocks["hcl"]) != 1 {
		t.Fatalf("blocks: %d json, %d yaml, %d hcl", len(blocks["json"]), len(blocks["yaml"]), len(blocks["hcl"]))
	}
	var documents []any
	var policy any
	if err := json.Unmarshal([]byte(blocks["json"][0]), &policy); err != nil {
		t.Fatal(err)
	}
	documents = append(documents, policy)
	for _, b := range blocks["yaml"] {
		documents = append(documents, parseYAML(t, b))
	}
	for i, d := range documents {
		var statements []any
		find(d, "Statement", &statements)
		if len(statements) != 1 || len(statements[0].([]any)) != 1 {
			t.Fatalf("document %d: statements %v", i, statements)
		}
		s := statements[0].([]any)[0].(map[string]any)
		var got []string
		for _, a := range s["Action"].([]any) {
			got = append(got, a.(string))
		}
		if s["Effect"] != "Allow" || !slices.Equal(got, want) {
			t.Errorf("document %d: %v %v, want to allow %v", i, s["Effect"], got, want)
		}
		if r := fmt.Sprint(s["Resource"]); r != "!GetAtt Idempotency.Arn" && !strings.HasSuffix(r, ":table/idempotency") {
			t.Errorf("document %d: the resource is %s, want the table and nothing else", i, r)
		}
	}
	hcl := blocks["hcl"][0]
	if got := regexp.MustCompile(`dynamodb:\w+`).FindAllString(hcl, -1); !slices.Equal(got, want) {
		t.Errorf("Terraform: %v, want %v", got, want)
	}
}

// The templates make the table that CreateTable makes.
func TestTheReadmeMakesTheTable(t *testing.T) {
	_, c := open(t, &fakedynamo.Server{})
	out, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: new(tableName)})
	if err != nil {
		t.Fatal(err)
	}
	ttl, err := c.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: new(tableName)})
	if err != nil {
		t.Fatal(err)
	}
	key, definition, expires := out.Table.KeySchema[0], out.Table.AttributeDefinitions[0], *ttl.TimeToLiveDescription.AttributeName
	want := map[string]any{
		"BillingMode":             string(out.Table.BillingModeSummary.BillingMode),
		"AttributeDefinitions":    []any{map[string]any{"AttributeName": *definition.AttributeName, "AttributeType": string(definition.AttributeType)}},
		"KeySchema":               []any{map[string]any{"AttributeName": *key.AttributeName, "KeyType": string(key.KeyType)}},
		"TimeToLiveSpecification": map[string]any{"AttributeName": expires, "Enabled": "true"},
	}
	blocks := fences(t)
	for i, b := range blocks["yaml"] {
		table := parseYAML(t, b).(map[string]any)["Resources"].(map[string]any)["Idempotency"].(map[string]any)
		if table["Type"] != "AWS::DynamoDB::Table" || !reflect.DeepEqual(table["Properties"], any(want)) {
			t.Errorf("document %d: %v\nwant %v", i, table["Properties"], want)
		}
	}
	hcl := regexp.MustCompile(`\s+`).ReplaceAllString(blocks["hcl"][0], " ")
	for _, part := range []string{
		fmt.Sprintf(`hash_key = %q attribute { name = %[1]q type = %q }`, *key.AttributeName, definition.AttributeType),
		fmt.Sprintf(`ttl { attribute_name = %q enabled = true }`, expires),
		fmt.Sprintf(`billing_mode = %q`, want["BillingMode"]),
	} {
		if !strings.Contains(hcl, part) {
			t.Errorf("Terraform: no %s", part)
		}
	}
	if strings.Count(hcl, "{") != strings.Count(hcl, "}") || strings.Count(hcl, "[") != strings.Count(hcl, "]") {
		t.Error("Terraform: a bracket is left open")
	}
}

// find collects what is called name, wherever it is.
func find(in any, name string, found *[]any) {
	switch in := in.(type) {
	case map[string]any:
		for k, v := range in {
			if k == name {
				*found = append(*found, v)
			}
			find(v, name, found)
		}
	case []any:
		for _, v := range in {
			find(v, name, found)
		}
	}
}

// parseYAML reads the little of YAML that templates need: maps and lists in blocks, and text.
func parseYAML(t *testing.T, text string) any {
	t.Helper()
	y := &yaml{T: t}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		body := strings.TrimLeft(line, " ")
		if strings.ContainsRune(line, '\t') || body == "" || body != strings.TrimSpace(body) {
			t.Fatalf("YAML: a tab, an empty line, or space at the end: %q", line)
		}
		y.lines = append(y.lines, yamlLine{len(line) - len(body), body})
	}
	v := y.block(0)
	if len(y.lines) > 0 {
		t.Fatalf("YAML: %q is indented in a strange way", y.lines[0].text)
	}
	return v
}

type yaml struct {
	*testing.T

	lines []yamlLine
}

type yamlLine struct {
	indent int
	text   string
}

func (y *yaml) block(indent int) any {
	if len(y.lines) == 0 || y.lines[0].indent != indent {
		y.Fatalf("YAML: nothing at indent %d: %v", indent, y.lines)
	}
	if strings.HasPrefix(y.lines[0].text, "- ") {
		var list []any
		for len(y.lines) > 0 && y.lines[0].indent == indent && strings.HasPrefix(y.lines[0].text, "- ") {
			y.lines[0] = yamlLine{indent + 2, y.lines[0].text[2:]}
			if strings.Contains(y.lines[0].text, ": ") || strings.HasSuffix(y.lines[0].text, ":") {
				list = append(list, y.block(indent+2))
				continue
			}
			list = append(list, y.scalar(y.lines[0].text))
			y.lines = y.lines[1:]
		}
		return list
	}
	m := make(map[string]any)
	for len(y.lines) > 0 && y.lines[0].indent == indent {
		name, v, ok := strings.Cut(y.lines[0].text, ":")
		if _, twice := m[name]; twice || !ok || strings.ContainsAny(name, " \"'") || v != "" && v[0] != ' ' {
			y.Fatalf("YAML: %q", y.lines[0].text)
		}
		y.lines = y.lines[1:]
		if v != "" {
			m[name] = y.scalar(v[1:])
			continue
		}
		if len(y.lines) == 0 || y.lines[0].indent <= indent {
			y.Fatalf("YAML: %q has no value", name)
		}
		m[name] = y.block(y.lines[0].indent)
	}
	return m
}

func (y *yaml) scalar(text string) any {
	if unquoted, ok := strings.CutPrefix(text, `"`); ok {
		text, ok = strings.CutSuffix(unquoted, `"`)
		if !ok {
			y.Fatalf("YAML: %q is open", text)
		}
	}
	return text
}
