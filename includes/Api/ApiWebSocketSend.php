<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Api;

use ApiBase;
use ApiMain;
use BagOStuff;
use InvalidArgumentException;
use MediaWiki\Extension\WebSocket\ClientId;
use MediaWiki\Extension\WebSocket\ConnectTokens;
use MediaWiki\Extension\WebSocket\EnvelopeEncoder;
use MediaWiki\Extension\WebSocket\Polling\ClientIds;
use MediaWiki\Extension\WebSocket\Polling\Outbox;
use MediaWiki\Extension\WebSocket\Polling\TypeAccess;
use MediaWiki\Extension\WebSocket\SendRate;
use MediaWiki\Extension\WebSocket\Settings;
use Wikimedia\ParamValidator\ParamValidator;

/**
 * action=websocketsend: sends a message to pages that poll, on a wiki without a relay.
 */
class ApiWebSocketSend extends ApiBase {
	/** Bytes of a message of a visitor; a relay takes as much by default */
	private const MAX_BYTES = 65536;

	/** Seconds in which a key counts once */
	private const KEY_SECONDS = 600;

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
		try {
			$envelopes = ( new EnvelopeEncoder() )->wrap( $type, $msg, $client, $to );
		} catch ( InvalidArgumentException $e ) {
			$this->dieWithError( [ 'rawmessage', wfEscapeWikiText( $e->getMessage() ) ], 'bad-request' );
		}
		$name = ConnectTokens::userName( $this->getAuthority() );
		if ( !$this->clientIds->claim( $client, $name ) ) {
			$this->dieWithError( 'apierror-websocket-notyourclient', 'forbidden' );
		}
		if ( $this->getUser()->pingLimiter( SendRate::ACTION ) ) {
			$this->dieWithError( 'apierror-ratelimited' );
		}
		$place = $this->stash->makeKey( 'websocket-key', $name, $client, $key );
		$isNew = $key === '' || $this->stash->add( $place, 1, self::KEY_SECONDS );
		foreach ( $isNew ? $envelopes : [] as $envelope ) {
			$this->outbox->addOf( $envelope, $name );
		}
		$this->getResult()->addValue( null, $this->getModuleName(), [ 'sent' => true ] );
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
		$optional = [ ParamValidator::PARAM_TYPE => 'string', ParamValidator::PARAM_DEFAULT => '' ];
		return [ 'type' => $text, 'msg' => $text, 'client' => $text, 'to' => $optional, 'key' => $optional ];
	}

	/** @inheritDoc */
	protected function getExamplesMessages() {
		return [
			'action=websocketsend&type=Foo&msg={"x":1}&client=WS1&token=123ABC' => 'apihelp-websocketsend-example'
		];
	}
}
