package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"mediawiki-websocket/relay/config"
	"mediawiki-websocket/relay/relaytest"
)

// writeCertificate writes a self-signed certificate for 127.0.0.1 and its key, and returns the pool that trusts it.
func writeCertificate(t *testing.T, cert, key string, serial int64) *x509.CertPool {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "relay"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
	os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

func dialTLS(t *testing.T, r *relaytest.Relay, pool *x509.CertPool) (*websocket.Conn, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	ctx, cancel := context.WithTimeout(context.Background(), relaytest.Patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "wss://"+r.Addresses()[1].String()+"/", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err == nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, err
}

// freePair returns a port that is free together with the next one.
func freePair(t *testing.T) string {
	t.Helper()
	for port := 22100; port < 22900; port += 2 {
		one, err1 := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		two, err2 := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+1))
		if err1 == nil {
			one.Close()
		}
		if err2 == nil {
			two.Close()
		}
		if err1 == nil && err2 == nil {
			return "127.0.0.1:" + strconv.Itoa(port)
		}
	}
	t.Fatal("no two free ports")
	return ""
}

func TestTLSAndPlainOnTheNextPort(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := writeCertificate(t, cert, key, 1)
	r := relaytest.Start(t, func(c *config.Config) {
		farm(c)
		c.Listen, c.TLSCert, c.TLSKey = freePair(t), cert, key
	})
	secure, err := dialTLS(t, r, pool)
	if err != nil {
		t.Fatal(err)
	}
	secure.SetReadLimit(-1)
	proxied := r.Dial(t, "ws://tls/websocket:1730", "")
	page := r.V1(t, "", "page")
	page.Subscribe("T")
	ctx, cancel := context.WithTimeout(context.Background(), relaytest.Patience)
	defer cancel()
	secure.Write(ctx, websocket.MessageText, []byte(`{"type":"T","from":"secure","msg":"`+strings.Repeat("s", 40000)+`"}`))
	if got := page.Next(); !strings.HasPrefix(got, `{"type":"T","msg":"sss`) {
		t.Errorf("%.50s", got)
	}
	proxied.Send(`{"type":"T","from":"proxied","msg":2}`)
	expect(t, page, `{"type":"T","msg":2,"from":"proxied"}`)
	if _, got, err := secure.Read(ctx); plain(string(got)) != `{"type":"T","msg":2,"from":"proxied"}` {
		t.Errorf("%s %v", got, err)
	}
	for range 200 { // more than is written at once
		r.Publish(t, "a:", `[{"type":"T","msg":"`+strings.Repeat("x", 50000)+`","to":["secure","proxied"]}]`)
		if _, got, err := secure.Read(ctx); len(got) < 50000 {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		proxied.Next()
	}

	renewed := writeCertificate(t, cert, key, 2)
	later := time.Now().Add(time.Minute)
	os.Chtimes(cert, later, later)
	for end := time.Now().Add(relaytest.Patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := dialTLS(t, r, renewed); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the renewed certificate is not served: %v", err)
		}
	}
	proxied.Send(`{"type":"T","msg":3}`)
	if _, got, err := secure.Read(ctx); plain(string(got)) != `{"type":"T","msg":3}` {
		t.Errorf("the connection from before: %s %v", got, err)
	}
	os.WriteFile(cert, []byte("half of a certificate"), 0o600)
	os.Chtimes(cert, later.Add(time.Minute), later.Add(time.Minute))
	if _, err := dialTLS(t, r, renewed); err != nil {
		t.Errorf("a broken file took the certificate away: %v", err)
	}
}

func TestSilentPeerOnTheTLSPortHoldsUpNobody(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := writeCertificate(t, cert, key, 1)
	r := relaytest.Start(t, func(c *config.Config) {
		farm(c)
		c.Listen, c.TLSCert, c.TLSKey = freePair(t), cert, key
	})
	for _, first := range []string{"", "\x16", "G"} {
		c, err := net.Dial("tcp", r.Addresses()[1].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Write([]byte(first))
	}
	if _, err := dialTLS(t, r, pool); err != nil {
		t.Error(err)
	}
}

// A renewal whose key could not be read at first is taken up when it can be, though neither file looks newer by then.
func TestCertificateThatIsMendedLater(t *testing.T) {
	dir := t.TempDir()
	cert, key, good := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "good.pem")
	writeCertificate(t, cert, key, 1)
	r := relaytest.Start(t, func(c *config.Config) {
		farm(c)
		c.Listen, c.TLSCert, c.TLSKey = freePair(t), cert, key
	})
	pool := writeCertificate(t, cert, good, 2)
	later := time.Now().Add(time.Hour)
	mend := func(text []byte) {
		os.WriteFile(key, text, 0o600)
		for _, file := range []string{cert, key} {
			if err := os.Chtimes(file, later, later); err != nil {
				t.Fatal(err)
			}
		}
	}
	mend([]byte("not a key"))
	time.Sleep(1100 * time.Millisecond) // the relay looks once a second
	if _, err := dialTLS(t, r, pool); err == nil {
		t.Fatal("a certificate whose key is none is used")
	}
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	mend(text)
	for end := time.Now().Add(relaytest.Patience); ; time.Sleep(100 * time.Millisecond) {
		if _, err = dialTLS(t, r, pool); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the mended certificate is not used: %v", err)
		}
	}
}
