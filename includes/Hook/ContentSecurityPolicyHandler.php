<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Hook;

use MediaWiki\Extension\WebSocket\ClientConfig;
use MediaWiki\Hook\ContentSecurityPolicyDirectivesHook;

/**
 * Lets the client through a Content-Security-Policy, and nothing else.
 *
 * It only adds sources to directives that are there: a directive of its own would replace the fallback to default-src
 * and so forbid things that were allowed. This is the hook that sees all directives; OutputPage's own method for adding
 * sources drops ws: addresses.
 */
class ContentSecurityPolicyHandler implements ContentSecurityPolicyDirectivesHook {
	public function __construct( private readonly ClientConfig $clientConfig ) {
	}

	/** @inheritDoc */
	public function onContentSecurityPolicyDirectives( &$directives, $policyConfig, $mode ) {
		$sockets = $this->clientConfig->getSocketSources();
		// Pages that poll need nothing but the wiki's API, which others need too.
		if ( !$sockets || $this->clientConfig->getProblem() !== null ) {
			return;
		}
		// Where a network lets no WebSocket through, the same address is asked over HTTP.
		$fallbacks = preg_replace( '/^ws/', 'http', $sockets );
		$this->add( $directives, [ 'connect-src', 'default-src' ], [ ...$sockets, ...$fallbacks ] );
		// Fetches the client; default-src has it anyway.
		$this->add( $directives, [ 'connect-src' ], [ "'self'" ] );
		$this->add( $directives, [ 'worker-src' ], [ "'self'" ] );
		$this->add( $directives, [ 'script-src' ], [ "'wasm-unsafe-eval'" ] );
	}

	/**
	 * @param string[] &$directives
	 * @param string[] $names The directive that decides, then its fallbacks
	 * @param string[] $sources
	 */
	private function add( array &$directives, array $names, array $sources ): void {
		foreach ( $names as $name ) {
			foreach ( $directives as &$directive ) {
				$words = preg_split( '/\s+/', trim( $directive ) );
				if ( strcasecmp( $words[0], $name ) === 0 ) {
					$directive = implode( ' ', [ ...$words, ...$this->missing( array_slice( $words, 1 ), $sources ) ] );
					return;
				}
			}
		}
	}

	/**
	 * @param string[] $present
	 * @param string[] $sources
	 * @return string[]
	 */
	private function missing( array $present, array $sources ): array {
		// 'none' was meant, and 'unsafe-eval' allows WebAssembly too.
		if ( in_array( "'none'", $present ) ) {
			return [];
		}
		return array_filter( $sources, static function ( string $source ) use ( $present ): bool {
			$wider = $source === "'wasm-unsafe-eval'" ? "'unsafe-eval'" : '*';
			return !array_intersect( [ $source, $wider ], $present );
		} );
	}
}
