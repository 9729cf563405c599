<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

use MediaWiki\Extension\WebSocket\Keys\KeyGenerations;
use MediaWiki\Extension\WebSocket\Origins;
use MediaWiki\Extension\WebSocket\SendRate;
use MediaWiki\Extension\WebSocket\Settings;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use MediaWiki\Extension\WebSocket\WikiIdentity;
use MediaWiki\Permissions\GroupPermissionsLookup;

/**
 * Tells the relay about this wiki: its key, the origins of its pages, whether the public can read it and send, and who
 * may do what with its types.
 */
class Registrar {
	/**
	 * @param RelayClient $client
	 * @param WikiIdentity $wiki
	 * @param Settings $settings
	 * @param TypeRegistry $types
	 * @param GroupPermissionsLookup $permissions
	 * @param string[] $servers $wgServer and $wgCanonicalServer
	 * @param KeyGenerations|null $generations Null: the key is never rotated
	 */
	public function __construct(
		private readonly RelayClient $client,
		private readonly WikiIdentity $wiki,
		private readonly Settings $settings,
		private readonly TypeRegistry $types,
		private readonly GroupPermissionsLookup $permissions,
		private readonly array $servers,
		private readonly ?KeyGenerations $generations = null
	) {
	}

	/**
	 * Make sure that the relay knows the wiki as it is now; when it does, that is one short question.
	 *
	 * @param WikiIdentity|null $as With other keys than now
	 * @return RelayAnswer isOk(): it does
	 */
	public function register( ?WikiIdentity $as = null ): RelayAnswer {
		$body = $this->body( $as ?? $this->wiki );
		$answer = $this->ask( $body );
		if ( $answer->status === 304 ) {
			return new RelayAnswer( 200 );
		}
		if ( $answer->status !== 200 && $answer->status !== 404 ) {
			return $answer;
		}
		if ( !$as && $this->isOutdated() ) {
			$message = 'the key was rotated since this process began; start it again';
			return new RelayAnswer( RelayAnswer::OUTDATED, $message );
		}
		return $this->client->control( 'PUT', $this->path(), [], $body );
	}

	/**
	 * Ask whether the relay knows the wiki, and change nothing.
	 *
	 * @return RelayAnswer Status 304: as it is now; 200: otherwise; 404: not at all
	 */
	public function check(): RelayAnswer {
		return $this->ask( $this->body( $this->wiki ) );
	}

	/** Or a request that began before a rotation would take back the new key. */
	private function isOutdated(): bool {
		$current = $this->generations?->current( $this->wiki->id );
		return $current !== null && $current->number !== $this->wiki->generation->number;
	}

	private function ask( string $body ): RelayAnswer {
		$condition = [ 'If-None-Match' => '"' . hash( 'sha256', $body ) . '"' ];
		return $this->client->control( 'HEAD', $this->path(), $condition );
	}

	private function path(): string {
		return '/api/wikis/' . rawurlencode( $this->wiki->id );
	}

	private function body( WikiIdentity $wiki ): string {
		$origins = $this->settings->origins;
		foreach ( $this->servers as $server ) {
			array_push( $origins, ...Origins::ofServer( $server ) );
		}
		return json_encode( [
			'key' => base64_encode( (string)$wiki->key ),
			'keys' => array_map( 'base64_encode', $this->oldKeys( $wiki ) ),
			'origins' => array_values( array_unique( $origins ) ),
			'private' => !$this->permissions->groupHasPermission( '*', 'read' ),
			'open' => $this->types->isOpen(),
			'anonymousSend' => $this->permissions->groupHasPermission( '*', SendRate::ACTION ),
			'types' => $this->types->policies(),
		], JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR );
	}

	/** @return string[] Raw keys whose tokens count too */
	private function oldKeys( WikiIdentity $wiki ): array {
		$keys = [ ...array_filter( [ $wiki->oldKey ] ), ...$this->settings->oldKeys ];
		return array_values( array_diff( array_unique( $keys ), [ $wiki->key ] ) );
	}
}
