package main

import "time"

// A scene is what happens to an order that is delivered twice.
type scene struct {
	name  string
	story string

	// charged is what happens at the worst moment: the money is taken, and the worker does not know it yet. It calls again
	// for the second delivery, which otherwise comes when the first one has its answer.
	charged func(w *worker, again func())
}

var scenes = []scene{
	{
		name: "duplicate delivery", story: "the queue delivers a message again that was handled",
		charged: func(*worker, func()) {},
	},
	{
		name: "double click", story: "the second click comes while the first is being handled",
		charged: func(_ *worker, again func()) {
			again()
			time.Sleep(100 * time.Millisecond)
		},
	},
	{
		name: "timeout", story: "the client gives up waiting, and tries again at once",
		charged: func(w *worker, _ func()) {
			w.hangUp("no answer in time")
			time.Sleep(200 * time.Millisecond)
		},
	},
	{
		name: "crash", story: "the worker dies before it can say that it has charged",
		charged: func(w *worker, _ func()) { w.die() },
	},
}
