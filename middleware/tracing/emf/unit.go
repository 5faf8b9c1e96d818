package emf

import "strings"

// unit is what CloudWatch calls a unit of UCUM, or "None".
func unit(ucum string) string {
	if strings.HasPrefix(ucum, "{") && strings.HasSuffix(ucum, "}") {
		return "Count"
	}
	quantity, perSecond := strings.CutSuffix(ucum, "/s")
	name, ok := map[string]string{
		"s": "Seconds", "ms": "Milliseconds", "us": "Microseconds", "%": "Percent",
		"By": "Bytes", "kBy": "Kilobytes", "KBy": "Kilobytes", "MBy": "Megabytes", "GBy": "Gigabytes", "TBy": "Terabytes",
		"bit": "Bits", "kbit": "Kilobits", "Mbit": "Megabits", "Gbit": "Gigabits", "Tbit": "Terabits",
	}[quantity]
	switch {
	case perSecond && (strings.HasPrefix(quantity, "{") || quantity == "1"):
		return "Count/Second"
	case perSecond && strings.Contains(name, "it") || perSecond && strings.Contains(name, "yte"):
		return name + "/Second"
	case ok && !perSecond:
		return name
	}
	return "None"
}
