<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

use MediaWiki\Extension\WebSocket\Origins;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWiki\Permissions\GroupPermissionsLookup;

/**
 * Tells the relay about this wiki: its key, the origins of its pages, and whether the public can read it.
 */
class Registrar {
	/**
	 * @param RelayClient $client
	 * @param WikiIdentity $wiki
	 * @param Settings $settings
	 * @param GroupPermissionsLookup $permissions
	 * @param string[] $servers $wgServer and $wgCanonicalServer
	 */
	public function __construct(
		private readonly RelayClient $client,
		private readonly WikiIdentity $wiki,
		private readonly Settings $settings,
		private readonly GroupPermissionsLookup $permissions,
		private readonly array $servers
	) {
	}

	/**
	 * Make sure that the relay knows the wiki as it is now; when it does, that is one short question.
	 *
	 * @return RelayAnswer isOk(): it does
	 */
	public function register(): RelayAnswer {
		$body = $this->body();
		$path = '/api/wikis/' . rawurlencode( $this->wiki->id );
		$answer = $this->client->control( 'HEAD', $path, [ 'If-None-Match' => '"' . hash( 'sha256', $body ) . '"' ] );
		return match ( $answer->status ) {
			304 => new RelayAnswer( 200 ),
			200, 404 => $this->client->control( 'PUT', $path, [], $body ),
			default => $answer,
		};
	}

	/** @return bool Whether the public cannot read the wiki */
	public function isPrivate(): bool {
		return !$this->permissions->groupHasPermission( '*', 'read' );
	}

	private function body(): string {
		$origins = $this->settings->origins;
		foreach ( $this->servers as $server ) {
			array_push( $origins, ...Origins::ofServer( $server ) );
		}
		return json_encode( [
			'key' => base64_encode( (string)$this->wiki->key ),
			'origins' => array_values( array_unique( $origins ) ),
			'private' => $this->isPrivate(),
		], JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR );
	}
}
