<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

/**
 * A message that can be sent.
 */
class Envelope {
	/**
	 * @param string $type
	 * @param string $msg JSON
	 * @param string|null $from Client id of the sender
	 * @param string[] $to Client ids; none: everyone
	 * @param string|null $actor See ClientId::actor()
	 * @param string $json All that, as POST /api/publish takes it, with a key by which a repetition is known
	 * @param bool $forgets It is no message: what is kept of the type, or of all types that begin with what stands
	 *   before the "*" at its end, is to be forgotten
	 */
	public function __construct(
		public readonly string $type,
		public readonly string $msg,
		public readonly ?string $from,
		public readonly array $to,
		public readonly ?string $actor,
		public readonly string $json,
		public readonly bool $forgets = false
	) {
	}
}
