<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests;

use HashBagOStuff;

/**
 * What MediaWiki 1.39 makes of $wgMainStash on several database servers: a replica answers, and knows nothing yet,
 * unless the latest is asked for.
 */
class LaggingStash extends HashBagOStuff {
	/** @inheritDoc */
	public function get( $key, $flags = 0 ) {
		return $flags & self::READ_LATEST ? parent::get( $key, $flags ) : false;
	}

	/** @inheritDoc */
	public function getMulti( array $keys, $flags = 0 ) {
		return $flags & self::READ_LATEST ? parent::getMulti( $keys, $flags ) : [];
	}
}
