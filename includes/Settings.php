<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use InvalidArgumentException;
use MediaWiki\Config\ServiceOptions;
use MediaWiki\Extension\WebSocket\Keys\WikiSecret;

/**
 * The settings of the wiki's administrator, checked once. A bad value is replaced by the default and named in
 * $errors; extension.json says what each setting means.
 */
class Settings {
	public const CONSTRUCTOR_OPTIONS = [
		'WebSocketPort',
		'WebSocketRewrite',
		'WebSocketLog',
		'WebSocketTLSCert',
		'WebSocketTLSKey',
		'WebSocketClientID',
		'WebSocketUrl',
		'WebSocketListen',
		'WebSocketOrigins',
		'WebSocketDirectory',
		'WebSocketBinary',
		'WebSocketAutostart',
		'WebSocketRelay',
		'WebSocketPageBar',
		'WebSocketPolling',
		'WebSocketPublishTimeout',
		'WebSocketOpenTypes',
		'WebSocketTypes',
		'WebSocketPerPageRead',
		'WebSocketTokenLife',
		'WebSocketOldKeys',
	];

	/** One less than the highest port, because TLS takes the next one. */
	private const MAX_PORT = 65534;
	private const MAX_TIMEOUT = 30;
	private const MIN_TOKEN_LIFE = 10;
	private const MAX_TOKEN_LIFE = 86400;
	private const MIN_POLLING = 2;
	private const MAX_POLLING = 3600;
	private const DEFAULT_PORT = 1729;
	private const DEFAULT_TIMEOUT = 0.1;
	private const DEFAULT_TOKEN_LIFE = 3600;
	/** It goes into a Content-Security-Policy, where white space, ";" and "," separate. */
	private const URL = '~^(?:(?:ws|http)s?://[^/?#@\s;,\x00-\x1f]+)?(?:/(?!/)[^\s;,\x00-\x1f]*)?$~D';
	private const HOST_PORT = '/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):(\d{1,5})$/D';

	public readonly int $port;
	public readonly bool $rewrite;
	/** @var string Absolute path, or '' */
	public readonly string $log;
	/** @var string Absolute path, or '' */
	public readonly string $tlsCert;
	/** @var string Absolute path, or '' */
	public readonly string $tlsKey;
	/** @var string A client id, or '' */
	public readonly string $clientId;
	/** @var string|null ws:// or wss:// address, or a path of the wiki's host */
	public readonly ?string $url;
	/** @var string|null HOST:PORT; HOST may be empty */
	public readonly ?string $listen;
	/** @var string[] Further origins, normalized */
	public readonly array $origins;
	/** @var string|null Absolute path without a slash at its end */
	public readonly ?string $directory;
	/** @var string|null Absolute path */
	public readonly ?string $binary;
	public readonly bool $autostart;
	/** @var string|null tcp://HOST:PORT or unix:///PATH of a relay elsewhere */
	public readonly ?string $relay;
	public readonly bool $pageBar;
	/** @var int Seconds between two polls of a page; 0: there is a relay */
	public readonly int $polling;
	/** @var float Seconds */
	public readonly float $publishTimeout;
	public readonly bool $openTypes;
	/** @var array Pattern => declaration, as the administrator wrote them; see Types\Declaration */
	public readonly array $types;
	public readonly bool $perPageRead;
	/** @var int Seconds */
	public readonly int $tokenLife;
	/** @var string[] Raw keys that still count although the wiki does not sign with them any more */
	public readonly array $oldKeys;
	/** @var string[] What is wrong with the settings and what is allowed, a sentence each */
	public readonly array $errors;

	public function __construct( ServiceOptions $options ) {
		$options->assertRequiredOptions( self::CONSTRUCTOR_OPTIONS );
		$errors = [];
		$read = static function ( string $name, callable $check, mixed $default ) use ( $options, &$errors ): mixed {
			$value = $options->get( $name );
			if ( $value === null || $value === '' || $value === false ) {
				return $default;
			}
			try {
				return $check( $value );
			} catch ( InvalidArgumentException $e ) {
				$errors[] = "\$wg$name is " . self::quote( $value ) . ', but it must be ' . $e->getMessage();
				return $default;
			}
		};
		$path = [ self::class, 'path' ];
		$this->port = $read( 'WebSocketPort', [ self::class, 'port' ], self::DEFAULT_PORT );
		$this->rewrite = (bool)$options->get( 'WebSocketRewrite' );
		$this->log = $read( 'WebSocketLog', $path, '' );
		$this->tlsCert = $read( 'WebSocketTLSCert', $path, '' );
		$this->tlsKey = $read( 'WebSocketTLSKey', $path, '' );
		if ( ( $this->tlsCert === '' ) !== ( $this->tlsKey === '' ) ) {
			$errors[] = '$wgWebSocketTLSCert and $wgWebSocketTLSKey belong together, but only one of them is good';
		}
		$this->clientId = $read( 'WebSocketClientID', [ self::class, 'clientId' ], '' );
		$this->url = $read( 'WebSocketUrl', [ self::class, 'url' ], null );
		$this->listen = $read( 'WebSocketListen', [ self::class, 'listen' ], null );
		$this->directory = $read( 'WebSocketDirectory', $path, null );
		$this->binary = $read( 'WebSocketBinary', $path, null );
		$this->autostart = (bool)$options->get( 'WebSocketAutostart' );
		$this->relay = $read( 'WebSocketRelay', [ self::class, 'relay' ], null );
		$this->pageBar = (bool)$options->get( 'WebSocketPageBar' );
		$this->polling = $read( 'WebSocketPolling', [ self::class, 'polling' ], 0 );
		$this->publishTimeout = $read( 'WebSocketPublishTimeout', [ self::class, 'timeout' ], self::DEFAULT_TIMEOUT );
		$this->openTypes = (bool)$options->get( 'WebSocketOpenTypes' );
		$this->types = $read( 'WebSocketTypes', [ self::class, 'types' ], [] );
		$this->perPageRead = (bool)$options->get( 'WebSocketPerPageRead' );
		$this->tokenLife = $read( 'WebSocketTokenLife', [ self::class, 'tokenLife' ], self::DEFAULT_TOKEN_LIFE );

		$oldKeys = array_values( (array)$options->get( 'WebSocketOldKeys' ) );
		$oldKeys = array_map( [ WikiSecret::class, 'parse' ], $oldKeys );
		foreach ( array_keys( $oldKeys, null, true ) as $index ) {
			// The value itself may be a key with a slip in it.
			$errors[] = 'Entry ' . ( $index + 1 ) . ' of $wgWebSocketOldKeys is not the base64 of 32 bytes';
		}
		$this->oldKeys = array_values( array_filter( $oldKeys ) );

		$origins = [];
		foreach ( (array)$options->get( 'WebSocketOrigins' ) as $origin ) {
			$normal = is_string( $origin ) ? Origins::normalize( $origin ) : null;
			if ( $normal === null ) {
				$errors[] = '$wgWebSocketOrigins has ' . self::quote( $origin )
					. ', but it must be scheme, host and, unless it is the usual one, port: "https://wiki.example"';
			} else {
				$origins[] = $normal;
			}
		}
		$this->origins = $origins;
		$this->errors = $errors;
	}

	/**
	 * @param mixed $value
	 * @return string One line, however hostile the value
	 */
	public static function quote( mixed $value ): string {
		$flags = JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR;
		return strtr( substr( (string)json_encode( $value, $flags ), 0, 120 ), "\x7f", '?' );
	}

	private static function port( mixed $value ): int {
		$port = filter_var( $value, FILTER_VALIDATE_INT, [ 'options' => [
			'min_range' => 1,
			'max_range' => self::MAX_PORT,
		] ] );
		if ( $port === false || is_bool( $value ) ) {
			throw new InvalidArgumentException( 'a whole number from 1 to ' . self::MAX_PORT );
		}
		return $port;
	}

	private static function path( mixed $value ): string {
		if ( !is_string( $value ) || !str_starts_with( $value, '/' ) || preg_match( '/[\x00-\x1f\x7f]/', $value ) ) {
			throw new InvalidArgumentException( 'a path that begins with "/" and has no control characters' );
		}
		return rtrim( $value, '/' ) ?: '/';
	}

	private static function clientId( mixed $value ): string {
		if ( !ClientId::isValid( $value ) ) {
			throw new InvalidArgumentException( '1 to 64 of A-Z a-z 0-9 _ . : -' );
		}
		return $value;
	}

	private static function url( mixed $value ): string {
		if ( is_string( $value ) && preg_match( self::URL, $value ) ) {
			return preg_replace( '/^http/', 'ws', $value );
		}
		throw new InvalidArgumentException( 'an address like "wss://wiki.example/live", or a path like "/live"' );
	}

	private static function listen( mixed $value ): string {
		if ( is_string( $value ) && preg_match( self::HOST_PORT, $value, $match ) ) {
			self::port( ltrim( $match[1], '0' ) );
			return $value;
		}
		throw new InvalidArgumentException( 'an address and a port, like "127.0.0.1:1729" or "[::1]:1729" or ":1729"' );
	}

	private static function relay( mixed $value ): string {
		if ( is_string( $value ) && str_starts_with( $value, 'unix:' ) ) {
			return 'unix://' . self::path( substr( $value, 5 ) );
		}
		if ( is_string( $value ) && !str_starts_with( $value, ':' ) ) {
			return 'tcp://' . self::listen( $value );
		}
		throw new InvalidArgumentException( '"host:port" or "unix:/path/of/control.sock"' );
	}

	private static function timeout( mixed $value ): float {
		if ( !is_numeric( $value ) || $value <= 0 || $value > self::MAX_TIMEOUT ) {
			throw new InvalidArgumentException( 'a number of seconds, more than 0 and at most ' . self::MAX_TIMEOUT );
		}
		return (float)$value;
	}

	private static function polling( mixed $value ): int {
		$seconds = filter_var( $value, FILTER_VALIDATE_INT );
		if ( $seconds === 0 && !is_bool( $value ) ) {
			return 0;
		}
		if ( $seconds === false || is_bool( $value ) || $seconds < self::MIN_POLLING || $seconds > self::MAX_POLLING ) {
			throw new InvalidArgumentException( 'a whole number of seconds from ' . self::MIN_POLLING . ' to '
				. self::MAX_POLLING . ', or 0 for a relay' );
		}
		return $seconds;
	}

	private static function types( mixed $value ): array {
		if ( !is_array( $value ) ) {
			throw new InvalidArgumentException( 'an array: pattern => declaration' );
		}
		return $value;
	}

	private static function tokenLife( mixed $value ): int {
		$seconds = filter_var( $value, FILTER_VALIDATE_INT, [ 'options' => [
			'min_range' => self::MIN_TOKEN_LIFE,
			'max_range' => self::MAX_TOKEN_LIFE,
		] ] );
		if ( $seconds === false || is_bool( $value ) ) {
			throw new InvalidArgumentException(
				'a whole number of seconds from ' . self::MIN_TOKEN_LIFE . ' to ' . self::MAX_TOKEN_LIFE
			);
		}
		return $seconds;
	}
}
