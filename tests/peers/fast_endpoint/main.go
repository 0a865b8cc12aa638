// A scoring endpoint that costs next to nothing, so that what is measured is the client.
//
// POST .../score takes {"data": [{...}, ...]}, parses every row and answers an array with one number a row: the sum over
// the row's fields, in the order sent, of position (from 1) times value, where a string counts as its length in bytes,
// true as 1, false as 0 and null as -1. SQL can compute the same, to check that every row got its own score.
//
// The path in front of "score" sets how it behaves, as name/value pairs:
//
//	/tag/T         counts apart, and remembers the last request: GET /tag/T/stats, /tag/T/last
//	/latency/10ms  takes that long
//	/limit/4       answers 429 to what comes while 4 requests of this tag are under way
//	/cap/500       answers 413 to more than 500 rows
//	/reject/X      answers 400 to a request in which some row has the string X
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fastjson"
)

var parsers fastjson.ParserPool

func main() {
	address := flag.String("listen", "127.0.0.1:5100", "address and port")
	flag.Parse()
	server := &fasthttp.Server{Handler: route, MaxRequestBodySize: 1 << 30, NoDefaultServerHeader: true}
	log.Fatal(server.ListenAndServe(*address))
}

// behaviour is what the path asks for.
type behaviour struct {
	tag     string
	latency time.Duration
	limit   int
	cap     int
	reject  string
}

var behaviours sync.Map // path in front of the last segment -> behaviour

func behaviourOf(prefix string) (behaviour, error) {
	if known, ok := behaviours.Load(prefix); ok {
		return known.(behaviour), nil
	}
	var b behaviour
	var err error
	words := strings.Split(strings.Trim(prefix, "/"), "/")
	for i := 0; i+1 < len(words) && err == nil; i += 2 {
		switch words[i] {
		case "tag":
			b.tag = words[i+1]
		case "latency":
			b.latency, err = time.ParseDuration(words[i+1])
		case "limit":
			b.limit, err = strconv.Atoi(words[i+1])
		case "cap":
			b.cap, err = strconv.Atoi(words[i+1])
		case "reject":
			b.reject = words[i+1]
		}
	}
	behaviours.Store(prefix, b)
	return b, err
}

func route(ctx *fasthttp.RequestCtx) {
	path := string(ctx.Path())
	cut := strings.LastIndexByte(path, '/')
	b, err := behaviourOf(path[:cut])
	if err != nil {
		fail(ctx, http.StatusNotFound, err.Error())
		return
	}
	switch path[cut+1:] {
	case "score":
		countedScore(ctx, b)
	case "swagger.json":
		ctx.SetContentType("application/json")
		ctx.SetBodyString(swagger)
	case "stats":
		answer(ctx, tally(b.tag).snapshot())
	case "last":
		answer(ctx, tally(b.tag).lastRequest())
	case "":
		ctx.SetBodyString("Healthy")
	default:
		fail(ctx, http.StatusNotFound, "no such path")
	}
}

func answer(ctx *fasthttp.RequestCtx, value interface{}) {
	body, err := json.Marshal(value)
	if err != nil {
		fail(ctx, http.StatusInternalServerError, err.Error())
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
}

func fail(ctx *fasthttp.RequestCtx, status int, message string) {
	answer(ctx, map[string]string{"message": message})
	ctx.SetStatusCode(status)
}

// countedScore keeps the tag's figures around score.
func countedScore(ctx *fasthttp.RequestCtx, b behaviour) {
	t := tally(b.tag)
	underWay := t.enter(ctx, b.tag != "")
	defer t.leave()
	if b.limit > 0 && underWay > b.limit {
		t.reject()
		fail(ctx, http.StatusTooManyRequests, "too many requests")
		return
	}
	start := time.Now()
	rows, status, message := score(ctx, b)
	sleep(b.latency - time.Since(start))
	if status != http.StatusOK {
		t.reject()
		fail(ctx, status, message)
		return
	}
	t.scored(rows)
}

// sleep is exact to a tenth of a millisecond. time.Sleep alone goes by the network poller's whole milliseconds ("10ms"
// would be 10.6 under load); the last two are slept in the kernel, in pieces so short that they hold up nobody.
func sleep(d time.Duration) {
	end := time.Now().Add(d)
	time.Sleep(d - 2*time.Millisecond)
	for time.Now().Before(end) {
		piece := syscall.NsecToTimespec(int64(50 * time.Microsecond))
		_ = syscall.Nanosleep(&piece, nil)
	}
}

// score answers the request; the number of its rows, or a status and message when it may not be answered.
func score(ctx *fasthttp.RequestCtx, b behaviour) (int, int, string) {
	parser := parsers.Get()
	defer parsers.Put(parser)
	document, err := parser.ParseBytes(ctx.PostBody())
	if err != nil {
		return 0, http.StatusBadRequest, err.Error()
	}
	rows := document.GetArray("data")
	if b.cap > 0 && len(rows) > b.cap {
		return 0, http.StatusRequestEntityTooLarge, "too many rows"
	}
	out := make([]byte, 0, 2+20*len(rows))
	out = append(out, '[')
	for i, row := range rows {
		object, err := row.Object()
		if err != nil {
			return 0, http.StatusBadRequest, err.Error()
		}
		value, rejected := weigh(object, b.reject)
		if rejected {
			return 0, http.StatusBadRequest, "row " + strconv.Itoa(i) + " is refused"
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendFloat(out, value, 'g', -1, 64)
	}
	out = append(out, ']')
	ctx.SetContentType("application/json")
	ctx.Response.SetBodyRaw(out)
	return len(rows), http.StatusOK, ""
}

func weigh(object *fastjson.Object, reject string) (float64, bool) {
	sum, position, rejected := 0.0, 0.0, false
	object.Visit(func(_ []byte, value *fastjson.Value) {
		position++
		switch value.Type() {
		case fastjson.TypeNumber:
			sum += position * value.GetFloat64()
		case fastjson.TypeString:
			text := value.GetStringBytes()
			sum += position * float64(len(text))
			rejected = rejected || reject != "" && string(text) == reject
		case fastjson.TypeTrue:
			sum += position
		case fastjson.TypeNull:
			sum -= position
		}
	})
	return sum, rejected
}
