<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Rest;

use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\SubscriptionTokens;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use Wikimedia\ParamValidator\ParamValidator;

/**
 * GET /websocket/v0/subscribe?types=T1|T2: the same as action=websocket-subscribe.
 */
class SubscribeHandler extends TokensHandler {
	public function __construct(
		private readonly SubscriptionTokens $tokens,
		WikiIdentity $wiki,
		Settings $settings
	) {
		parent::__construct( $wiki, $settings );
	}

	/** @inheritDoc */
	protected function answer(): array {
		$types = $this->getValidatedParams()['types'];
		return $this->tokens->issue( $this->getAuthority(), $this->getSession()->getRequest(), $types );
	}

	/** @inheritDoc */
	public function getParamSettings() {
		return [
			'types' => [
				self::PARAM_SOURCE => 'query',
				ParamValidator::PARAM_TYPE => 'string',
				ParamValidator::PARAM_REQUIRED => true,
				ParamValidator::PARAM_ISMULTI => true,
				ParamValidator::PARAM_ISMULTI_LIMIT1 => SubscriptionTokens::MAX_TYPES,
				ParamValidator::PARAM_ISMULTI_LIMIT2 => SubscriptionTokens::MAX_TYPES,
			],
		];
	}
}
