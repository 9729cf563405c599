<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Api;

use ApiMain;
use ApiResult;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\SubscriptionTokens;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use Wikimedia\ParamValidator\ParamValidator;

/**
 * action=websocket-subscribe: tokens for the types that not everybody may subscribe to.
 */
class ApiWebSocketSubscribe extends ApiWebSocketBase {
	public function __construct(
		ApiMain $main,
		string $action,
		private readonly SubscriptionTokens $tokens,
		WikiIdentity $wiki,
		Settings $settings
	) {
		parent::__construct( $main, $action, $wiki, $settings );
	}

	/** @inheritDoc */
	protected function answer(): void {
		$types = $this->extractRequestParams()['types'];
		$answer = $this->tokens->issue( $this->getAuthority(), $this->getRequest(), $types );
		ApiResult::setIndexedTagName( $answer['tokens'], 'token' );
		ApiResult::setIndexedTagName( $answer['refused'], 'type' );
		$this->getResult()->addValue( null, $this->getModuleName(), $answer );
	}

	/** @inheritDoc */
	protected function getAllowedParams() {
		return [
			'types' => [
				ParamValidator::PARAM_TYPE => 'string',
				ParamValidator::PARAM_REQUIRED => true,
				ParamValidator::PARAM_ISMULTI => true,
				ParamValidator::PARAM_ISMULTI_LIMIT1 => SubscriptionTokens::MAX_TYPES,
				ParamValidator::PARAM_ISMULTI_LIMIT2 => SubscriptionTokens::MAX_TYPES,
			],
		];
	}

	/** @inheritDoc */
	protected function getExamplesMessages() {
		return [
			"action=websocket-subscribe&types={$this->wiki->id}@page/1|{$this->wiki->id}@page/2"
				=> 'apihelp-websocket-subscribe-example',
		];
	}
}
