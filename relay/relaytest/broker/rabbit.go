package broker

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// rabbitProgram is where Debian has the program itself: the one in the PATH works for root and the service's user only.
const rabbitProgram = "/usr/lib/rabbitmq/bin/rabbitmq-server"

// shared is the RabbitMQ that all tests of a package share, because its start takes long.
var shared struct {
	once   sync.Once
	rabbit *Server
	names  *Server // Erlang's epmd, on a port of its own
	err    error
}

// Main returns m, for a TestMain, with the end of what its tests have shared behind it. When all tests run, RabbitMQ is started meanwhile: those that need it
// are best the last.
func Main(m interface{ Run() int }) interface{ Run() int } { return run{m} }

type run struct{ tests interface{ Run() int } }

func (r run) Run() int {
	flag.Parse()
	all := true
	for _, name := range []string{"test.run", "test.skip", "test.fuzz", "test.list", "test.bench"} {
		all = all && flag.Lookup(name).Value.String() == ""
	}
	if all && flag.Lookup("test.fuzzworker").Value.String() == "false" {
		go shared.once.Do(begin)
	}
	code := r.tests.Run()
	shared.once.Do(func() {}) // it is not left in the middle of the start
	for _, s := range []*Server{shared.rabbit, shared.names} {
		if s != nil {
			s.end()
		}
	}
	return code
}

// RabbitMQ returns the RabbitMQ of this package's tests, which runs. It knows the user guest with the password guest. A test that kills it starts it again.
func RabbitMQ(t testing.TB) *Server {
	t.Helper()
	shared.once.Do(begin)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.rabbit
}

func begin() { shared.err = startRabbit() }

func startRabbit() (err error) {
	if shared.names, err = newServer(); err != nil {
		return err
	}
	names := strconv.Itoa(shared.names.Port)
	shared.names.command = func() *exec.Cmd { return exec.Command("epmd", "-port", names, "-address", "127.0.0.1") }
	if err := shared.names.start(); err != nil {
		return err
	}
	s, err := newServer()
	if err != nil {
		return err
	}
	shared.rabbit = s
	path := func(name string) string { return filepath.Join(s.dir, name) }
	settings := fmt.Sprintf("listeners.tcp.1 = %s\nlog.console = true\n", s.Address)
	for name, text := range map[string]string{"plugins": "[].\n", "env.conf": "", "rabbitmq.conf": settings} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	env := []string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "ERL_EPMD_PORT=" + names, "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_NODENAME=relay@localhost", "RUNNING_UNDER_SYSTEMD=true", // so that it does not leave the program to a child
		"RABBITMQ_MNESIA_BASE=" + path("data"), "RABBITMQ_LOG_BASE=" + path("log"), "RABBITMQ_CONFIG_FILE=" + path("rabbitmq"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + path("plugins"), "RABBITMQ_CONF_ENV_FILE=" + path("env.conf"), "RABBITMQ_DIST_PORT=" + strconv.Itoa(FreePort("tcp")),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}"}
	s.command = func() *exec.Cmd {
		cmd := exec.Command(rabbitProgram)
		cmd.Env = env
		return cmd
	}
	return s.start()
}
