<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Api;

use ApiBase;
use ApiMain;
use ApiResult;
use MediaWiki\Extension\WebSocket\ClientId;
use MediaWiki\Extension\WebSocket\ConnectTokens;
use MediaWiki\Extension\WebSocket\Polling\ClientIds;
use MediaWiki\Extension\WebSocket\Polling\Outbox;
use MediaWiki\Extension\WebSocket\Polling\Since;
use MediaWiki\Extension\WebSocket\Polling\TypeAccess;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\SubscriptionTokens;
use Wikimedia\ParamValidator\ParamValidator;

/**
 * action=websocketpoll: what has been sent since the last time, for pages of a wiki without a relay.
 */
class ApiWebSocketPoll extends ApiBase {
	public function __construct(
		ApiMain $main,
		string $action,
		private readonly Settings $settings,
		private readonly TypeAccess $access,
		private readonly ClientIds $clientIds,
		private readonly Outbox $outbox
	) {
		parent::__construct( $main, $action );
	}

	/** @inheritDoc */
	public function execute() {
		if ( $this->settings->polling === 0 ) {
			$this->dieWithError( 'apierror-websocket-nopolling', 'nopolling' );
		}
		// It differs by client, and rights may change; a page that asks twice within a second gets the same.
		$this->getMain()->setCacheMode( 'private' );
		$this->getMain()->setCacheMaxAge( 1 );
		$params = $this->extractRequestParams();
		$client = (string)$params['client'];
		if ( $client !== '' && !ClientId::isValid( $client ) ) {
			$this->dieWithError( [ 'apierror-badparameter', 'client' ] );
		}
		$wanted = $this->wanted( $params['types'], $params['since'] );
		$types = array_map( 'strval', array_keys( $wanted ) );
		$refusals = $this->access->readRefusals( $this->getAuthority(), $types );
		$name = ConnectTokens::userName( $this->getAuthority() );
		if ( $client !== '' && $wanted ) {
			$this->clientIds->keep( $client, $name, min( array_map(
				static fn ( Since $since ): int => $since->offset === null ? 0 : $since->time ?? 0, $wanted
			) ) );
		}
		$news = $this->outbox->read( array_diff_key( $wanted, $refusals ), $client, $name );
		$refused = [];
		foreach ( $refusals as $type => $refusal ) {
			// It may be no UTF-8.
			$refused[] = [ 'type' => mb_scrub( (string)$type, 'UTF-8' ) ] + $refusal;
		}
		$answer = [
			'messages' => $news->messages,
			'missed' => $news->missed,
			'refused' => $refused,
			'offset' => $news->offset,
			'time' => $news->time,
			'newest' => $news->newest,
			'next' => $news->hasMore ? 0 : $this->settings->polling,
			'user' => $name,
		];
		ApiResult::setIndexedTagName( $answer['messages'], 'message' );
		ApiResult::setIndexedTagName( $answer['missed'], 'type' );
		ApiResult::setIndexedTagName( $answer['refused'], 'type' );
		// All of it is UTF-8, and messages stay as they are, also in forms of Unicode that MediaWiki does not write.
		$this->getResult()->addValue( null, $this->getModuleName(), $answer, ApiResult::NO_VALIDATE );
	}

	/**
	 * @param string[] $types
	 * @param string[] $since One for each
	 * @return array<string,Since> By type
	 */
	private function wanted( array $types, array $since ): array {
		if ( count( $types ) !== count( $since ) ) {
			$this->dieWithError( [ 'apierror-badparameter', 'since' ] );
		}
		$wanted = [];
		foreach ( $types as $i => $type ) {
			$wanted[$type] = Since::parse( $since[$i] )
				?? $this->dieWithError( [ 'apierror-badparameter', 'since' ] );
		}
		return $wanted;
	}

	/** @inheritDoc */
	protected function getAllowedParams() {
		$multiple = [
			ParamValidator::PARAM_TYPE => 'string',
			ParamValidator::PARAM_REQUIRED => true,
			ParamValidator::PARAM_ISMULTI => true,
			ParamValidator::PARAM_ISMULTI_LIMIT1 => SubscriptionTokens::MAX_TYPES,
			ParamValidator::PARAM_ISMULTI_LIMIT2 => SubscriptionTokens::MAX_TYPES,
			ParamValidator::PARAM_ALLOW_DUPLICATES => true,
		];
		return [
			// As somebody has sent it, and not in MediaWiki's normal form of Unicode.
			'types' => [ ParamValidator::PARAM_TYPE => 'raw' ] + $multiple,
			'since' => $multiple,
			'client' => [ ParamValidator::PARAM_TYPE => 'string', ParamValidator::PARAM_DEFAULT => '' ],
		];
	}

	/** @inheritDoc */
	protected function getExamplesMessages() {
		return [ 'action=websocketpoll&types=Foo|Bar&since=-|123:1750000000' => 'apihelp-websocketpoll-example' ];
	}
}
