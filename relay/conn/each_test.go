package conn

import (
	"math/rand/v2"
	"testing"
)

// Whoever stays is looked at, whoever ends or begins at any moment beside.
func TestEachMissesNobodyWhoStays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, eachSome - 1, eachSome, eachSome + 1, 10*eachSome + 7} {
		env := &Env{}
		come := func() {
			env.conns = append(env.conns, &Conn{place: len(env.conns)})
		}
		for range n {
			come()
		}
		stay := make(map[*Conn]bool)
		for _, c := range env.conns {
			stay[c] = true
		}
		seen := make(map[*Conn]bool)
		env.each(func(c *Conn) {
			seen[c] = true
			for range random.IntN(3) {
				if len(env.conns) > 0 && random.IntN(3) > 0 {
					gone := env.conns[random.IntN(len(env.conns))]
					env.remove(gone, 1000)
					delete(stay, gone)
				} else {
					come()
				}
			}
		})
		for c := range stay {
			if !seen[c] {
				t.Fatalf("of %d connections one that stayed was not looked at", n)
			}
		}
		if n > 0 && len(seen) == 0 {
			t.Fatalf("none of %d was looked at", n)
		}
	}
}
