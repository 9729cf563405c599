<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

/**
 * Origins (RFC 6454) in the one spelling that browsers send, because the relay compares bytes.
 */
class Origins {
	private const ORIGIN = '~^(https?)://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]\x00-\x20\x7f]+)(?::(\d{1,5}))?/?$~Di';
	private const DEFAULT_PORTS = [ 'http' => 80, 'https' => 443 ];

	/**
	 * @param string $origin
	 * @return string|null null: not an origin of http or https
	 */
	public static function normalize( string $origin ): ?string {
		if ( !preg_match( self::ORIGIN, $origin, $match ) ) {
			return null;
		}
		$scheme = strtolower( $match[1] );
		$host = self::host( $match[2] );
		$port = (int)( $match[3] ?? self::DEFAULT_PORTS[$scheme] );
		if ( $host === null || $port < 1 || $port > 65535 ) {
			return null;
		}
		return "$scheme://$host" . ( $port === self::DEFAULT_PORTS[$scheme] ? '' : ":$port" );
	}

	/**
	 * @param string $server $wgServer or $wgCanonicalServer, which may leave the scheme out
	 * @return string[] One origin, or one for each scheme; none when it is not a server's address
	 */
	public static function ofServer( string $server ): array {
		$servers = str_starts_with( $server, '//' ) ? [ "https:$server", "http:$server" ] : [ $server ];
		return array_values( array_filter( array_map( [ self::class, 'normalize' ], $servers ) ) );
	}

	private static function host( string $host ): ?string {
		if ( preg_match( '/[^\x00-\x7f]/', $host ) && function_exists( 'idn_to_ascii' ) ) {
			$host = (string)idn_to_ascii( $host );
		}
		return preg_match( '/^(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/Di', $host ) ? strtolower( $host ) : null;
	}
}
