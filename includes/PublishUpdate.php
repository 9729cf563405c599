<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

/**
 * Flushes the publisher.
 */
class PublishUpdate extends FlushUpdate {
	public function __construct( private readonly Publisher $publisher ) {
	}

	/** @inheritDoc */
	public function doUpdate() {
		$this->publisher->flush();
	}
}
