package fakedynamo

import (
	"math/big"
	"strconv"
	"strings"
)

// A number is n times ten to the power of exp, and n does not end in a zero.
type number struct {
	n   *big.Int
	exp int
}

// What is certainly out of range is not computed with.
const farOut = 1000

func parseNumber(text string) (number, bool) {
	text, exponent, hasExp := strings.Cut(strings.ToLower(text), "e")
	exp := 0
	if hasExp {
		digits := strings.TrimLeft(exponent, "+-")
		if len(exponent)-len(digits) > 1 || !isDigits(digits) {
			return number{}, false
		}
		var err error
		if exp, err = strconv.Atoi(exponent); err != nil {
			exp = 2 * farOut // overflows either way, with the sign below
			if exponent[0] == '-' {
				exp = -exp
			}
		}
	}
	sign, digits := "", text
	if strings.HasPrefix(text, "-") {
		sign, digits = "-", text[1:]
	}
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if !isDigits(whole) && (whole != "" || fraction == "") || hasPoint && fraction != "" && !isDigits(fraction) {
		return number{}, false
	}
	significant := strings.TrimRight(whole+fraction, "0")
	exp += len(whole) - len(significant)
	n, ok := new(big.Int).SetString(sign+"0"+significant, 10)
	if !ok {
		return number{}, false
	}
	if n.Sign() == 0 {
		exp = 0
	}
	return number{n, exp}, true
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func mustNumber(text string) number {
	n, ok := parseNumber(text)
	if !ok {
		panic("fakedynamo: stored " + strconv.Quote(text) + " as a number")
	}
	return n
}

func (x number) digits() string { return new(big.Int).Abs(x.n).String() }

// magnitude is the exponent of the first digit.
func (x number) magnitude() int { return len(x.digits()) - 1 + x.exp }

func (x number) check() error {
	switch m := x.magnitude(); {
	case x.n.Sign() == 0:
	case m > 125:
		return invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case m < -130:
		return invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case len(x.digits()) > 38:
		return invalid("Attempting to store more than 38 significant digits in a Number")
	}
	return nil
}

func (x number) String() string {
	sign, digits := "", x.digits()
	if x.n.Sign() < 0 {
		sign = "-"
	}
	if x.exp >= 0 {
		return sign + digits + strings.Repeat("0", x.exp)
	}
	if pad := 1 - x.exp - len(digits); pad > 0 {
		digits = strings.Repeat("0", pad) + digits
	}
	point := len(digits) + x.exp
	return sign + digits[:point] + "." + digits[point:]
}

// aligned are the integers of x and y, and the power of ten that both are to be multiplied by.
func aligned(x, y number) (a, b *big.Int, exp int) {
	exp = min(x.exp, y.exp)
	return x.scaled(exp), y.scaled(exp), exp
}

func (x number) scaled(exp int) *big.Int {
	ten := big.NewInt(10)
	return new(big.Int).Mul(x.n, ten.Exp(ten, big.NewInt(int64(x.exp-exp)), nil))
}

func (x number) cmp(y number) int {
	a, b, _ := aligned(x, y)
	return a.Cmp(b)
}

// plus is x + y, or x - y.
func (x number) plus(y number, minus bool) number {
	a, b, exp := aligned(x, y)
	if minus {
		b.Neg(b)
	}
	sum, _ := parseNumber(a.Add(a, b).String() + "e" + strconv.Itoa(exp))
	return sum
}

func numberSize(text string) int {
	x := mustNumber(text)
	if x.n.Sign() == 0 {
		return 1
	}
	digits := len(x.digits())
	size := 1 + (digits+1)/2
	if digits%2 == 0 && x.magnitude()%2 == 0 {
		size++ // digits are kept in pairs, which begin at even exponents
	}
	if x.n.Sign() < 0 {
		size++
	}
	return size
}
