package main

import (
	"sync"

	"github.com/valyala/fasthttp"
)

// figures is what GET .../stats answers.
type figures struct {
	Requests    int   `json:"requests"`
	Rejected    int   `json:"rejected"`
	Rows        int   `json:"rows"`     // in requests that were scored
	MaxRows     int   `json:"max_rows"` // in one of them
	MinRows     int   `json:"min_rows"`
	Bytes       int64 `json:"bytes"`
	UnderWay    int   `json:"under_way"`
	MaxAtOnce   int   `json:"max_at_once"`
	Connections int   `json:"connections"`
}

// request is what GET .../last answers.
type request struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// counts are a tag's figures, its last request and the connections it came over.
type counts struct {
	sync.Mutex
	figures
	last        request
	connections map[uint64]bool
}

var tallies sync.Map // tag -> *counts

func tally(tag string) *counts {
	if known, ok := tallies.Load(tag); ok {
		return known.(*counts)
	}
	made, _ := tallies.LoadOrStore(tag, &counts{connections: map[uint64]bool{}})
	return made.(*counts)
}

// enter counts a request in, and says how many are under way with it.
func (c *counts) enter(ctx *fasthttp.RequestCtx, keep bool) int {
	var seen request
	if keep {
		seen = request{Headers: map[string]string{}, Body: string(ctx.PostBody())}
		ctx.Request.Header.VisitAll(func(name, value []byte) { seen.Headers[string(name)] = string(value) })
	}
	c.Lock()
	defer c.Unlock()
	c.Requests++
	c.Bytes += int64(len(ctx.PostBody()))
	c.UnderWay++
	if c.UnderWay > c.MaxAtOnce {
		c.MaxAtOnce = c.UnderWay
	}
	if keep {
		c.last = seen
		c.connections[ctx.ConnID()] = true
		c.Connections = len(c.connections)
	}
	return c.UnderWay
}

func (c *counts) leave() {
	c.Lock()
	c.UnderWay--
	c.Unlock()
}

func (c *counts) reject() {
	c.Lock()
	c.Rejected++
	c.Unlock()
}

func (c *counts) scored(rows int) {
	c.Lock()
	defer c.Unlock()
	c.Rows += rows
	if rows > c.MaxRows {
		c.MaxRows = rows
	}
	if c.MinRows == 0 || rows < c.MinRows {
		c.MinRows = rows
	}
}

func (c *counts) snapshot() figures {
	c.Lock()
	defer c.Unlock()
	return c.figures
}

func (c *counts) lastRequest() request {
	c.Lock()
	defer c.Unlock()
	return c.last
}
