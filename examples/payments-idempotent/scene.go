package main

import "time"

// A scene is what happens to an order that comes twice.
type scene struct {
	name     string
	story    string
	together bool            // the second delivery does not wait for the first one's answer
	patience time.Duration   // of the first caller
	delay    func(w *worker) // what happens when the first worker has charged, before it knows
}

const long = time.Minute

var scenes = []scene{
	{
		name: "duplicate delivery", story: "the queue delivers the message again",
		patience: long, delay: func(*worker) {},
	},
	{
		name: "double click", story: "the second comes while the first is under way",
		patience: long, delay: func(*worker) { time.Sleep(100 * time.Millisecond) }, together: true,
	},
	{
		name: "timeout", story: "the charge takes longer than the client waits, who tries again",
		patience: 100 * time.Millisecond, delay: func(*worker) { time.Sleep(300 * time.Millisecond) },
	},
	{
		name: "crash", story: "the worker dies when it has charged, before it could say so",
		patience: long, delay: (*worker).die,
	},
}
