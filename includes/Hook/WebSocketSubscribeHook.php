<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use MediaWiki\Permissions\Authority;

/**
 * @stable to implement
 */
interface WebSocketSubscribeHook {
	/**
	 * Decides who gets a subscription token.
	 *
	 * It is run when somebody has asked for a token for a type that needs one, and what the type's declaration says
	 * about readers has been checked. For a type with {user} or {page} in its pattern $allowed is true then, and may be
	 * set to false. For any other type it is null, which means no unless a handler sets it to true. Handlers leave it
	 * as it is for types that are not theirs.
	 *
	 * What has been allowed stays allowed until the token runs out, $wgWebSocketTokenLife seconds later.
	 *
	 * @param Authority $performer Who wants to subscribe
	 * @param string $type Without the wiki id
	 * @param bool|null &$allowed
	 * @return bool|void True or no return value to continue, or false to ask no more handlers
	 */
	public function onWebSocketSubscribe( Authority $performer, string $type, ?bool &$allowed );
}
