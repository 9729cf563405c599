<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Keys;

/**
 * How often the wiki's key has been rotated, and when it was last.
 */
class KeyGeneration {
	/** Seconds for which the key before counts too: as long as a token may live */
	public const OVERLAP_SECONDS = 48 * 3600;

	/**
	 * @param int $number 0: never
	 * @param int $rotated Unix time, 0 for never
	 * @param string|null $problem Why it is not known, and what to do
	 */
	public function __construct(
		public readonly int $number = 0,
		public readonly int $rotated = 0,
		public readonly ?string $problem = null
	) {
	}

	/**
	 * @param int $now Unix time
	 * @return self
	 */
	public function next( int $now ): self {
		return new self( $this->number + 1, $now );
	}

	/**
	 * @param int $now Unix time
	 * @return bool Whether the key before still counts
	 */
	public function isRecent( int $now ): bool {
		return $this->number > 0 && $now - $this->rotated < self::OVERLAP_SECONDS;
	}
}
