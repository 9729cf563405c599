// Package page serves the pages of the relay's apps: files that are part of the program, under a policy that runs nothing but their own scripts.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// Policy is the Content-Security-Policy of every answer; frame-ancestors, which an app chooses, follows.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "

// App is what the pages of an app have in common.
type App struct {
	URLs    []string                                                 // where the page is: absolute paths without a slash at the end
	Files   embed.FS                                                 // index.html, which is at the URL itself, and other files, which are below it
	Folder  string                                                   // of Files
	Framers string                                                   // whose pages may show the page in a frame: 'self' or 'none', with the quotes
	Connect func(url string, w http.ResponseWriter, r *http.Request) // answers the handshake at url/connect
}

// Handler returns what serves the app. index.html is a template of html/template; its one value is the last part of the URL, so that "{{.}}/script.js" finds a
// file also behind a proxy that changes what stands before it. Files that will not do cause a panic.
func Handler(a App) http.Handler {
	all := make(handler)
	for _, url := range a.URLs {
		p := &page{url: url, framers: a.Framers, files: make(map[string]file)}
		p.read(a.Files, a.Folder)
		all[url], all[url+"/connect"] = p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.Connect(url, w, r) })
		for at := range p.files {
			all[at] = p
		}
		all[url+"/"] = p
	}
	return all
}

// handler finds by the path, which must be what it is in full.
type handler map[string]http.Handler

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if at := h[r.URL.Path]; at != nil {
		at.ServeHTTP(w, r)
		return
	}
	http.Error(w, "nothing is here", http.StatusNotFound)
}

type page struct {
	url     string
	framers string
	files   map[string]file // by their URLs
}

type file struct {
	name, tag string
	data      []byte
}

func (p *page) read(files embed.FS, folder string) {
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		panic(err)
	}
	for _, entry := range entries {
		data, err := fs.ReadFile(files, path.Join(folder, entry.Name()))
		if err != nil {
			panic(err)
		}
		at := p.url + "/" + entry.Name()
		if entry.Name() == "index.html" {
			var b bytes.Buffer
			if err := template.Must(template.New("page").Parse(string(data))).Execute(&b, path.Base(p.url)); err != nil {
				panic(err)
			}
			at, data = p.url, b.Bytes()
		}
		sum := sha256.Sum256(data)
		p.files[at] = file{entry.Name(), `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, data}
	}
}

// ServeHTTP answers GET and HEAD.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", Policy+p.framers)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	f, ok := p.files[r.URL.Path]
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
	case ok:
		h.Set("ETag", f.tag)
		http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.data))
	default: // a slash at the end
		target := "../" + path.Base(p.url)
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
		h.Set("Location", target) // relative, which http.Redirect would not leave
		w.WriteHeader(http.StatusMovedPermanently)
	}
}
