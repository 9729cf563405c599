<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use MediaWiki\HookContainer\HookContainer;
use MediaWiki\Permissions\Authority;

/**
 * Runs the hooks that this extension offers to others.
 */
class HookRunner implements WebSocketSubscribeHook {
	public function __construct( private readonly HookContainer $container ) {
	}

	/** @inheritDoc */
	public function onWebSocketSubscribe( Authority $performer, string $type, ?bool &$allowed ) {
		return $this->container->run( 'WebSocketSubscribe', [ $performer, $type, &$allowed ] );
	}
}
