package idempotency_test

import (
	"testing"

	"github.com/seawall-go/seawall/idempotency"
)

// The examples of RFC 8785, and what is beyond it: numbers that are no float64.
func TestCanonicalForm(t *testing.T) {
	for text, want := range map[string]string{
		`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`://
		`{"literals":[null,true,false],"numbers":[333333333.33333329,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`://
		"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
		`{"😁":1,"😀":2,"a😀":3,"a":4,"":5}`: `{"":5,"a":4,"a😀":3,"😀":2,"😁":1}`,

		`{"a\u0000":1,"a":2,"\"":3,"!":4,"#":5}`: `{"!":4,"\"":3,"#":5,"a":2,"a\u0000":1}`,
		`{"abcdefgh\n":1,"abcdefgh":2,"abcdefgh\t":3,"abcdefg\ufb33":4,"abcdefg\ud83d\ude00":5}`:// names that begin alike
		"{\"abcdefgh\":2,\"abcdefgh\\t\":3,\"abcdefgh\\n\":1,\"abcdefg😀\":5,\"abcdefg\ufb33\":4}",
		"{\"\ue000\":1,\"\uefff\":2,\"\uffff\":3,\"😀\":4,\"\ud7fb\":5,\"abcdefgh\ue000\":6,\"abcdefgh😀\":7}":// the last of UTF-16
		"{\"abcdefgh😀\":7,\"abcdefgh\ue000\":6,\"\ud7fb\":5,\"😀\":4,\"\ue000\":1,\"\uefff\":2,\"\uffff\":3}",
		`{"m":0,"l":1,"k":2,"j":3,"i":4,"h":5,"g":6,"f":7,"e":8,"d":9,"c":[{"b":0,"a":1}],"b":11,"a":12}`://
		`{"a":12,"b":11,"c":[{"a":1,"b":0}],"d":9,"e":8,"f":7,"g":6,"h":5,"i":4,"j":3,"k":2,"l":1,"m":0}`,

		`0`: `0`, `-0`: `0`, `0.000`: `0`, `0e5`: `0`, `-1`: `-1`, `10`: `10`, `1.0`: `1`, `1e2`: `100`, `1E+2`: `100`,
		`0.1e1`: `1`, `12.34`: `12.34`, `1234e-2`: `12.34`, `0.00120`: `0.0012`,
		`1e20`: `100000000000000000000`, `1e21`: `1e+21`, `999999999999999900000`: `999999999999999900000`,
		`0.000001`: `0.000001`, `0.0000001`: `1e-7`, `0.00000012`: `1.2e-7`, `-1.5e-300`: `-1.5e-300`, `1.5e300`: `1.5e+300`,
		`100000000000000000000`: `100000000000000000000`, `1000000000000000000000`: `1e+21`, `-1234567890123456789012`: `-1.234567890123456789012e+21`,
		`9007199254740993`: `9007199254740993`, `123456789012345678901234567890`: `1.2345678901234567890123456789e+29`,
		`3.14159265358979323846264338327950288`: `3.14159265358979323846264338327950288`,

		`"\b\f\n\r\t\u0000\u001f\u007f"`: `"\b\f\n\r\t\u0000\u001f` + "\u007f\"",
		" [ ] ":                          `[]`, "{ }": `{}`, "[ {} , [ ] ]": `[{},[]]`, "\ttrue\n": `true`,
	} {
		got, err := idempotency.Canonical([]byte(text))
		if err != nil || string(got) != want {
			t.Errorf("%s\n got %s, %v\nwant %s", text, got, err, want)
		}
	}
}
