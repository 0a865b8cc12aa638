// A scoring endpoint over TLS that offers HTTP/2, and counts how it is reached.
//
// POST .../score takes {"data": [{...}, ...]}, answers a 1 for each row after 20 ms, and counts. GET /stats says how
// many requests came by which protocol, how many most at once, over how many TLS connections, and how many of these
// resumed an earlier session; GET /reset sets the counts back.
// With -http1 it offers HTTP/1.1 only, and closes each connection after its reply.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

type counts struct {
	HTTP1   int `json:"http1"`
	HTTP2   int `json:"http2"`
	AtOnce  int `json:"at_once"`
	Opened  int `json:"opened"`
	Resumed int `json:"resumed"`
}

var (
	mutex    sync.Mutex
	seen     counts
	underWay int
)

func main() {
	address := flag.String("listen", "127.0.0.1:5101", "address and port")
	certificate := flag.String("cert", "", "certificate, PEM")
	key := flag.String("key", "", "its key, PEM")
	http1 := flag.Bool("http1", false, "no HTTP/2, a connection a request")
	flag.Parse()
	server := &http.Server{Addr: *address, Handler: http.HandlerFunc(route), ConnState: connectionChanged}
	if *http1 {
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
		server.SetKeepAlivesEnabled(false)
	}
	log.Fatal(server.ListenAndServeTLS(*certificate, *key))
}

func route(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/score"):
		score(w, r)
	case r.URL.Path == "/stats":
		mutex.Lock()
		defer mutex.Unlock()
		_ = json.NewEncoder(w).Encode(seen)
	case r.URL.Path == "/reset":
		mutex.Lock()
		defer mutex.Unlock()
		seen = counts{}
	default:
		http.Error(w, "no such path", http.StatusNotFound)
	}
}

func score(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	enter(r)
	time.Sleep(20 * time.Millisecond)
	leave()
	scores := make([]int, len(body.Data))
	for i := range scores {
		scores[i] = 1
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(scores)
}

func enter(r *http.Request) {
	mutex.Lock()
	defer mutex.Unlock()
	if r.ProtoMajor == 2 {
		seen.HTTP2++
	} else {
		seen.HTTP1++
		if r.TLS.DidResume {
			seen.Resumed++ // with a connection a request, these are the connections
		}
	}
	underWay++
	if underWay > seen.AtOnce {
		seen.AtOnce = underWay
	}
}

func leave() {
	mutex.Lock()
	defer mutex.Unlock()
	underWay--
}

func connectionChanged(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		mutex.Lock()
		defer mutex.Unlock()
		seen.Opened++
	}
}
