<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Polling;

/**
 * What a poll brings.
 */
class News {
	/**
	 * @param array[] $messages { offset, data }, where data is JSON, by offset; some of them may come twice
	 * @param string[] $missed Types of which there may have been more
	 * @param int $offset From which to go on
	 * @param int $time Unix time to go on from, with the offset
	 * @param int $newest Offset of the newest message there is: one that wants nothing from before wants none up to it
	 * @param bool $hasMore Whether there are more at once
	 */
	public function __construct(
		public readonly array $messages,
		public readonly array $missed,
		public readonly int $offset,
		public readonly int $time,
		public readonly int $newest,
		public readonly bool $hasMore
	) {
	}
}
