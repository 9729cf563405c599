package hub

import "mediawiki-websocket/relay/engine"

// Age makes it so as if so many items had been delivered to k and sent.
func (h *Hub) Age(k engine.Key, items uint32) { h.channel(k).count += items }
