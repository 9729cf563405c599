<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Api;

use ApiBase;
use ApiMain;
use BagOStuff;
use InvalidArgumentException;
use MediaWiki\Extension\WebSocket\ClientId;
use MediaWiki\Extension\WebSocket\ConnectTokens;
use MediaWiki\Extension\WebSocket\Envelope;
use MediaWiki\Extension\WebSocket\EnvelopeEncoder;
use MediaWiki\Extension\WebSocket\Polling\ClientIds;
use MediaWiki\Extension\WebSocket\Polling\Outbox;
use MediaWiki\Extension\WebSocket\Polling\TypeAccess;
use MediaWiki\Extension\WebSocket\SendRate;
use MediaWiki\Extension\WebSocket\Settings;
use Throwable;
use Wikimedia\ParamValidator\ParamValidator;

/**
 * action=websocketsend: sends a message to pages that poll, on a wiki without a relay.
 */
class ApiWebSocketSend extends ApiBase {
	/** Bytes of a message of a visitor; a relay takes as much by default */
	private const MAX_BYTES = 65536;

	/** Seconds in which a key counts once, and in which a request that has begun to send it may still do so */
	private const KEY_SECONDS = 600;
	private const BEGUN_SECONDS = 30;

	public function __construct(
		ApiMain $main,
		string $action,
		private readonly Settings $settings,
		private readonly TypeAccess $access,
		private readonly ConnectTokens $tokens,
		private readonly ClientIds $clientIds,
		private readonly Outbox $outbox,
		private readonly BagOStuff $stash
	) {
		parent::__construct( $main, $action );
	}

	/** @inheritDoc */
	public function execute() {
		if ( $this->settings->polling === 0 ) {
			$this->dieWithError( 'apierror-websocket-nopolling', 'nopolling' );
		}
		if ( !$this->tokens->maySend( $this->getAuthority(), $this->getRequest() ) ) {
			$this->dieWithError( 'apierror-websocket-maynotsend', 'forbidden' );
		}
		[ 'type' => $type, 'msg' => $msg, 'client' => $client, 'to' => $to, 'key' => $key ] =
			$this->extractRequestParams();
		$refusal = $this->access->sendRefusal( $this->getAuthority(), $type );
		if ( $refusal !== null ) {
			$this->dieWithError( [ 'rawmessage', wfEscapeWikiText( $refusal['message'] ) ], $refusal['code'] );
		}
		if ( strlen( $msg ) > self::MAX_BYTES ) {
			$this->dieWithError( [ 'apierror-websocket-toolarge', self::MAX_BYTES ], 'too-large' );
		}
		if ( $key !== '' && !ClientId::isValid( $key ) ) {
			$this->dieWithError( [ 'apierror-badparameter', 'key' ] );
		}
		// Each so many recipients would be a message of its own, and count as one of them.
		if ( substr_count( $to, ',' ) >= EnvelopeEncoder::RECIPIENTS ) {
			$limit = EnvelopeEncoder::RECIPIENTS;
			$this->dieWithError( [ 'apierror-toomanyvalues', 'to', $limit, $limit ], 'limit' );
		}
		try {
			[ $envelope ] = ( new EnvelopeEncoder() )->wrap( $type, $msg, $client, $to );
		} catch ( InvalidArgumentException $e ) {
			$this->dieWithError( [ 'rawmessage', wfEscapeWikiText( $e->getMessage() ) ], 'bad-request' );
		}
		$name = ConnectTokens::userName( $this->getAuthority() );
		// First, because what comes then takes room.
		if ( $this->getUser()->pingLimiter( SendRate::ACTION ) ) {
			$this->dieWithError( 'apierror-ratelimited' );
		}
		if ( !$this->clientIds->claim( $client, $name ) ) {
			$this->dieWithError( 'apierror-websocket-notyourclient', 'forbidden' );
		}
		if ( $key === '' ) {
			$this->outbox->addOf( $envelope, $name );
		} else {
			$this->sendOnce( $envelope, $name, $this->stash->makeKey( 'websocket-key', $name, $client, $key ) );
		}
		$this->getResult()->addValue( null, $this->getModuleName(), [ 'sent' => true ] );
	}

	/**
	 * Send it, unless it has been sent. That it was counts only from then on: a request may end in between.
	 *
	 * @param Envelope $envelope
	 * @param string $name Of the sender
	 * @param string $place Of the message's key in the stash
	 */
	private function sendOnce( Envelope $envelope, string $name, string $place ): void {
		if ( !$this->stash->add( $place, 'begun', self::BEGUN_SECONDS ) ) {
			if ( $this->stash->get( $place, BagOStuff::READ_LATEST ) === 'sent' ) {
				return;
			}
			// Another request is about to send it, or has died, or the stash fails. Pages repeat what is answered so.
			$this->dieWithError( 'apierror-websocket-unavailable', 'unavailable', null, 503 );
		}
		try {
			$this->outbox->addOf( $envelope, $name );
		} catch ( Throwable $e ) {
			$this->stash->delete( $place );
			throw $e;
		}
		$this->stash->set( $place, 'sent', self::KEY_SECONDS );
	}

	/** @inheritDoc */
	public function isWriteMode() {
		return true;
	}

	/** @inheritDoc */
	public function mustBePosted() {
		return true;
	}

	/** @inheritDoc */
	public function needsToken() {
		return 'csrf';
	}

	/** @inheritDoc */
	protected function getAllowedParams() {
		$text = [ ParamValidator::PARAM_TYPE => 'string', ParamValidator::PARAM_REQUIRED => true ];
		// As it is sent, and not in MediaWiki's normal form of Unicode.
		$raw = [ ParamValidator::PARAM_TYPE => 'raw' ] + $text;
		$optional = [ ParamValidator::PARAM_TYPE => 'string', ParamValidator::PARAM_DEFAULT => '' ];
		return [ 'type' => $raw, 'msg' => $raw, 'client' => $text, 'to' => $optional, 'key' => $optional ];
	}

	/** @inheritDoc */
	protected function getExamplesMessages() {
		return [
			'action=websocketsend&type=Foo&msg={"x":1}&client=WS1&token=123ABC' => 'apihelp-websocketsend-example'
		];
	}
}
