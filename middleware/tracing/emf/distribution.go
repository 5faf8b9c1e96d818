package emf

import (
	"cmp"
	"math"
	"slices"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// A distribution is some values, of which those in the middle may be known only roughly.
type distribution struct {
	samples       []sample
	count         uint64
	sum, min, max float64
	bounded       bool // min and max are known; without, both are the mean
}

// A sample is a value that is there so many times.
type sample struct {
	value float64
	count uint64
}

// A bucket is how many values are between two.
type bucket struct {
	from, to float64
	count    uint64
}

func single(v float64) distribution {
	return distribution{samples: []sample{{v, 1}}, count: 1, sum: v, min: v, max: v, bounded: true}
}

// summary is a distribution that has no samples yet.
func summary[N int64 | float64](count uint64, sum N, least, most metricdata.Extrema[N]) distribution {
	d := distribution{count: count, sum: float64(sum)}
	from, low := least.Value()
	to, high := most.Value()
	if low && high {
		d.min, d.max, d.bounded = float64(from), float64(to), true
	} else if count > 0 {
		d.min = d.sum / float64(count)
		d.max = d.min
	}
	return d
}

// place makes samples of buckets: the least and the greatest value, which are known, and those between, each as far from
// the lower bound of its bucket to the upper one as makes all of them add up to the sum.
func (d *distribution) place(buckets []bucket) {
	if d.count == 1 {
		d.samples = []sample{{d.sum, 1}}
		return
	}
	buckets = slices.DeleteFunc(buckets, func(b bucket) bool { return b.count == 0 })
	var inBuckets uint64
	for _, b := range buckets {
		inBuckets += b.count
	}
	if inBuckets != d.count { // the user wants no buckets, or whoever counted did not keep to them
		buckets = []bucket{{d.min, d.max, d.count}}
	}
	buckets[0].count--
	buckets[len(buckets)-1].count--
	rest, low, room := d.sum-d.min-d.max, 0.0, 0.0
	for i := range buckets {
		b := &buckets[i]
		b.from = min(max(b.from, d.min), d.max)
		b.to = min(max(b.to, b.from), d.max)
		low += b.from * float64(b.count)
		room += (b.to - b.from) * float64(b.count)
	}
	share := 0.0
	if room > 0 {
		share = min(max((rest-low)/room, 0), 1)
	}
	d.samples = append(d.samples, sample{d.min, 1})
	for _, b := range buckets {
		if b.count > 0 {
			d.samples = append(d.samples, sample{min(b.from+share*(b.to-b.from), b.to), b.count})
		}
	}
	d.samples = append(d.samples, sample{d.max, 1})
}

// add joins other to d.
func (d *distribution) add(other distribution) {
	if d.count == 0 {
		d.min, d.max = math.Inf(1), math.Inf(-1)
	}
	d.samples = append(d.samples, other.samples...)
	d.count += other.count
	d.sum += other.sum
	d.min, d.max = min(d.min, other.min), max(d.max, other.max)
}

// thin brings the samples down to n, of which the first and the last stay, and the others become means of neighbours.
func (d *distribution) thin(n int) {
	slices.SortFunc(d.samples, func(a, b sample) int { return cmp.Compare(a.value, b.value) })
	merged := d.samples[:0]
	for _, s := range d.samples {
		if last := len(merged) - 1; last >= 0 && merged[last].value == s.value {
			merged[last].count += s.count
		} else {
			merged = append(merged, s)
		}
	}
	d.samples = merged
	if len(d.samples) <= n {
		return
	}
	inner := d.samples[1 : len(d.samples)-1]
	few := []sample{d.samples[0]}
	for together := range slices.Chunk(inner, (len(inner)+n-3)/(n-2)) {
		total, count := 0.0, uint64(0)
		for _, s := range together {
			total += s.value * float64(s.count)
			count += s.count
		}
		few = append(few, sample{total / float64(count), count})
	}
	d.samples = append(few, d.samples[len(d.samples)-1])
}
