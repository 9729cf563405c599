<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Revocation;

use MediaWiki\Extension\WebSocket\FlushUpdate;

/**
 * Flushes the revoker.
 */
class RevokeUpdate extends FlushUpdate {
	public function __construct( private readonly Revoker $revoker ) {
	}

	/** @inheritDoc */
	public function doUpdate() {
		$this->revoker->flush();
	}
}
