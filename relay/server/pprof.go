package server

import (
	"context"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"time"

	"github.com/gorilla/mux"
)

// profiles adds what an engineer asks a running relay: Go's profiles below /debug/pprof/, and POST /debug/free, which collects the garbage and gives what is
// free back to the system.
func profiles(r *mux.Router) {
	r.Handle("/debug/pprof/cmdline", only(pprof.Cmdline, "GET"))
	r.Handle("/debug/pprof/profile", only(patient(pprof.Profile), "GET"))
	r.Handle("/debug/pprof/symbol", only(pprof.Symbol, "GET", "POST"))
	r.Handle("/debug/pprof/trace", only(patient(pprof.Trace), "GET"))
	r.PathPrefix("/debug/pprof/").Handler(only(patient(pprof.Index), "GET"))
	r.Handle("/debug/free", only(func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		w.WriteHeader(http.StatusNoContent)
	}, "POST"))
}

// patient lets h take longer than requests may otherwise; package pprof refuses when the server says that it will not wait.
func patient(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
		h(w, r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{})))
	}
}
