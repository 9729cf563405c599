<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Relay;

use BagOStuff;

/**
 * Remembers for a while, across requests on this machine, that something is better not done again: in the local
 * server cache (APCu), and where there is none as a small file whose modification time is the end of the while.
 */
class Cooldown {
	private const KEY = 'websocket-cooldown';

	/** @var array<string,int> Name => Unix time of its end, for when neither cache nor file can be written */
	private array $ends = [];

	private readonly bool $cacheLasts;

	/**
	 * @param BagOStuff $cache
	 * @param string|null $directory Where the files go
	 * @param string $fallback Path that nobody can guess, to which names are added when $directory cannot be used
	 */
	public function __construct(
		private readonly BagOStuff $cache,
		private readonly ?string $directory,
		private readonly string $fallback
	) {
		$this->cacheLasts = $cache->getQoS( BagOStuff::ATTR_DURABILITY ) >= BagOStuff::QOS_DURABILITY_SERVICE;
	}

	/**
	 * @param string $name Letters, digits and "-"
	 * @return bool
	 */
	public function isActive( string $name ): bool {
		$now = time();
		if ( ( $this->ends[$name] ?? 0 ) > $now ) {
			return true;
		}
		if ( $this->cacheLasts ) {
			return (bool)$this->cache->get( $this->cache->makeKey( self::KEY, $name ) );
		}
		$file = $this->file( $name );
		clearstatcache( true, $file );
		// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
		return is_file( $file ) && (int)@filemtime( $file ) > $now;
	}

	/**
	 * @param string $name Letters, digits and "-"
	 * @param int $seconds How long
	 */
	public function start( string $name, int $seconds ): void {
		$this->ends[$name] = time() + $seconds;
		if ( $this->cacheLasts ) {
			$this->cache->set( $this->cache->makeKey( self::KEY, $name ), 1, $seconds );
		} else {
			// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
			@touch( $this->file( $name ), $this->ends[$name] );
		}
	}

	/**
	 * @param string $name Letters, digits and "-"
	 */
	public function end( string $name ): void {
		unset( $this->ends[$name] );
		if ( $this->cacheLasts ) {
			$this->cache->delete( $this->cache->makeKey( self::KEY, $name ) );
		} else {
			// phpcs:ignore Generic.PHP.NoSilencedErrors.Discouraged
			@unlink( $this->file( $name ) );
		}
	}

	/**
	 * @param string $name Letters, digits and "-"
	 * @param int $seconds How long
	 * @return bool Whether it had not been active; it is now
	 */
	public function enter( string $name, int $seconds ): bool {
		if ( $this->isActive( $name ) ) {
			return false;
		}
		$this->start( $name, $seconds );
		return true;
	}

	private function file( string $name ): string {
		$usable = $this->directory !== null && is_dir( $this->directory ) && is_writable( $this->directory );
		return ( $usable ? "{$this->directory}/cooldown" : $this->fallback ) . "-$name";
	}
}
