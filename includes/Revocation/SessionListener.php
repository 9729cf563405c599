<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Revocation;

use MediaWiki\MediaWikiServices;
use MediaWiki\Session\SessionBackend;
use MediaWiki\Session\SessionProvider;
use User;
use WebRequest;

/**
 * Connections are a kind of session that follows from the others, so they have to end with them. MediaWiki has no hook
 * for the end of all sessions of a user (after a change of the password, by maintenance/invalidateUserSessions.php,
 * when somebody is renamed, …), but tells each provider of sessions. This one provides none.
 */
class SessionListener extends SessionProvider {
	/** @inheritDoc */
	public function provideSessionInfo( WebRequest $request ) {
		return null;
	}

	/** @inheritDoc */
	public function persistsSessionId() {
		return false;
	}

	/** @inheritDoc */
	public function canChangeUser() {
		return false;
	}

	/** @inheritDoc */
	public function persistSession( SessionBackend $session, WebRequest $request ) {
	}

	/** @inheritDoc */
	public function unpersistSession( WebRequest $request ) {
	}

	/** @inheritDoc */
	public function invalidateSessionsForUser( User $user ) {
		$this->revoker()->revokeUser( $user->getName() );
	}

	/** @inheritDoc */
	public function preventSessionsForUser( $username ) {
		$this->revoker()->revokeUser( (string)$username );
	}

	/** Providers are made in each request, so what they need is not. */
	private function revoker(): Revoker {
		return MediaWikiServices::getInstance()->getService( 'WebSocket.Revoker' );
	}
}
