package main

import "time"

// A scene is what happens to an order that comes twice.
type scene struct {
	name     string
	story    string
	together bool            // the second delivery does not wait for the first one's answer
	delay    func(w *worker) // what happens when the first worker has charged, before it knows
}

var scenes = []scene{
	{
		name: "duplicate delivery", story: "the queue delivers the message again",
		delay: func(*worker) {},
	},
	{
		name: "double click", story: "the second comes while the first is under way",
		together: true,
		delay:    func(*worker) { time.Sleep(100 * time.Millisecond) },
	},
	{
		name: "timeout", story: "the charge takes longer than the client waits, who tries again",
		delay: func(w *worker) {
			w.hangUp()
			time.Sleep(200 * time.Millisecond)
		},
	},
	{
		name: "crash", story: "the worker dies when it has charged, before it could say so",
		delay: (*worker).die,
	},
}
