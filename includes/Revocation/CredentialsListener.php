<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Revocation;

use MediaWiki\Auth\AbstractSecondaryAuthenticationProvider;
use MediaWiki\Auth\AuthenticationRequest;
use MediaWiki\Auth\AuthenticationResponse;
use MediaWiki\Auth\TemporaryPasswordAuthenticationRequest;

/**
 * Hears of every change of a password, those at the login after a reset and those by maintenance scripts too, which
 * run no hook. It takes no part in the authentication itself.
 */
class CredentialsListener extends AbstractSecondaryAuthenticationProvider {
	public function __construct( private readonly Revoker $revoker ) {
	}

	/** @inheritDoc */
	public function getAuthenticationRequests( $action, array $options ) {
		return [];
	}

	/** @inheritDoc */
	public function beginSecondaryAuthentication( $user, array $reqs ) {
		return AuthenticationResponse::newAbstain();
	}

	/** @inheritDoc */
	public function beginSecondaryAccountCreation( $user, $creator, array $reqs ) {
		return AuthenticationResponse::newAbstain();
	}

	/** @inheritDoc */
	public function providerChangeAuthenticationData( AuthenticationRequest $req ) {
		// Anybody may have a temporary password mailed to anybody, who need not even notice; the old one still counts.
		if ( !$req instanceof TemporaryPasswordAuthenticationRequest ) {
			$this->revoker->revokeUser( (string)$req->username );
		}
	}

	/** @inheritDoc */
	public function providerRevokeAccessForUser( $username ) {
		$this->revoker->revokeUser( (string)$username );
	}
}
