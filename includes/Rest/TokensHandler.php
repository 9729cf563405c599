<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Rest;

use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWiki\Rest\LocalizedHttpException;
use MediaWiki\Rest\Response;
use MediaWiki\Rest\ResponseInterface;
use MediaWiki\Rest\SimpleHandler;
use Wikimedia\Message\MessageValue;

/**
 * A route that answers with tokens: for whoever asks, and for no cache.
 *
 * MediaWiki lets no foreign page read what it answers to a request with cookies, unless $wgCrossSiteAJAXdomains and
 * $wgRestAllowCrossOriginCookieAuth say so.
 */
abstract class TokensHandler extends SimpleHandler {
	public function __construct(
		protected readonly WikiIdentity $wiki,
		private readonly Settings $settings
	) {
	}

	/** @return Response */
	public function run(): Response {
		if ( $this->settings->polling ) {
			throw new LocalizedHttpException( new MessageValue( 'apierror-websocket-polling' ), 404 );
		}
		if ( $this->wiki->key === null ) {
			throw new LocalizedHttpException( new MessageValue( 'apierror-websocket-nokey' ), 500 );
		}
		$response = $this->getResponseFactory()->createJson( $this->answer() );
		// For MediaWiki 1.39, which does not call it.
		$this->applyCacheControl( $response );
		return $response;
	}

	/** @inheritDoc */
	public function applyCacheControl( ResponseInterface $response ) {
		// What MediaWiki says otherwise about somebody who is logged in lets the browser store the answer.
		$response->setHeader( 'Cache-Control', 'private, no-store' );
	}

	/** @inheritDoc */
	public function needsWriteAccess() {
		return false;
	}

	/** @return array<string,mixed> */
	abstract protected function answer(): array;
}
