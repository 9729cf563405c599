<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

/**
 * What the owner of a connection token may do.
 */
class Grants {
	/**
	 * @param bool $maySend
	 * @param bool $maySeePresence
	 * @param string[] $rights Those of his rights that policies ask for
	 * @param array{count:int,seconds:int}|null $rate Messages that he may send in so many seconds; null: any number
	 */
	public function __construct(
		public readonly bool $maySend,
		public readonly bool $maySeePresence,
		public readonly array $rights = [],
		public readonly ?array $rate = null
	) {
	}
}
