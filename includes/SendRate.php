<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use Closure;
use MediaWiki\Config\ServiceOptions;
use MediaWiki\MainConfigNames;
use MediaWiki\Permissions\Authority;
use MediaWiki\Permissions\GroupPermissionsLookup;
use MediaWiki\User\UserGroupManager;
use Wikimedia\IPUtils;

/**
 * How often somebody may send: $wgRateLimits['websocket-send'], as MediaWiki's RateLimiter would apply it.
 *
 * The relay does the counting, and has one number for it. Where several limits hold at once, that is the lowest; limits
 * for all users of an address, or all visitors together, become limits for each of them.
 */
class SendRate {
	public const ACTION = 'websocket-send';

	public const CONSTRUCTOR_OPTIONS = [
		MainConfigNames::RateLimits,
		MainConfigNames::RateLimitsExcludedIPs,
	];

	/** @var array<string,mixed> Kind of user => messages and seconds */
	private readonly array $limits;

	/** @var string[] */
	private readonly array $excludedAddresses;

	/**
	 * @param ServiceOptions $options
	 * @param GroupPermissionsLookup $groupPermissions
	 * @param Closure():UserGroupManager $groups
	 */
	public function __construct(
		ServiceOptions $options,
		private readonly GroupPermissionsLookup $groupPermissions,
		private readonly Closure $groups
	) {
		$options->assertRequiredOptions( self::CONSTRUCTOR_OPTIONS );
		$this->limits = (array)( $options->get( MainConfigNames::RateLimits )[self::ACTION] ?? [] );
		$this->excludedAddresses = $options->get( MainConfigNames::RateLimitsExcludedIPs );
	}

	/**
	 * @param Authority $authority
	 * @param string $address IP address of the request
	 * @return array{count:int,seconds:int}|null null: no limit
	 */
	public function forAuthority( Authority $authority, string $address ): ?array {
		if ( $this->canBypass() ) {
			if ( $authority->isAllowed( 'noratelimit' ) || IPUtils::isInRanges( $address, $this->excludedAddresses ) ) {
				return null;
			}
		}
		$user = $authority->getUser();
		$isNewbie = !$authority->isAllowed( 'autoconfirmed' );
		$groups = $user->isRegistered() ? ( $this->groups )()->getUserGroups( $user ) : [];
		return $this->lowest( $this->applicable( $user->isRegistered(), $isNewbie, $groups ) );
	}

	/**
	 * @return array{count:int,seconds:int}|null For visitors without an account, wherever they are; null: no limit
	 */
	public function forPublic(): ?array {
		if ( $this->canBypass() && $this->groupPermissions->groupHasPermission( '*', 'noratelimit' ) ) {
			return null;
		}
		$isNewbie = !$this->groupPermissions->groupHasPermission( '*', 'autoconfirmed' );
		return $this->lowest( $this->applicable( false, $isNewbie, [] ) );
	}

	private function canBypass(): bool {
		return (bool)( $this->limits['&can-bypass'] ?? true );
	}

	/**
	 * @param bool $isRegistered
	 * @param bool $isNewbie
	 * @param string[] $groups
	 * @return string[] Kinds of users whose limits hold
	 */
	private function applicable( bool $isRegistered, bool $isNewbie, array $groups ): array {
		$kinds = [ $isRegistered ? 'user-global' : 'anon' ];
		if ( $isNewbie ) {
			array_push( $kinds, 'ip', 'subnet' );
		}
		$own = $isRegistered ? $this->ownKind( $isNewbie, $groups ) : null;
		if ( $own !== null ) {
			$kinds[] = $own;
		}
		if ( $isNewbie || $own === null ) {
			// Over others they do not count when they are lower, and make no difference when they are higher.
			array_push( $kinds, 'ip-all', 'subnet-all' );
		}
		return $kinds;
	}

	/**
	 * @param bool $isNewbie
	 * @param string[] $groups
	 * @return string|null What an account's own limit is called: that of newbies, else the highest
	 */
	private function ownKind( bool $isNewbie, array $groups ): ?string {
		if ( $isNewbie && $this->limit( 'newbie' ) !== null ) {
			return 'newbie';
		}
		$own = null;
		foreach ( [ 'user', ...$groups ] as $kind ) {
			$limit = $this->limit( $kind );
			if ( $limit !== null && ( $own === null || $this->compare( $limit, $this->limit( $own ) ) > 0 ) ) {
				$own = $kind;
			}
		}
		return $own;
	}

	/**
	 * @param string[] $kinds
	 * @return array{count:int,seconds:int}|null
	 */
	private function lowest( array $kinds ): ?array {
		$limits = array_filter( array_map( [ $this, 'limit' ], $kinds ) );
		usort( $limits, [ $this, 'compare' ] );
		return $limits[0] ?? null;
	}

	/** @return array{count:int,seconds:int}|null */
	private function limit( string $kind ): ?array {
		$limit = $this->limits[$kind] ?? false;
		if ( $limit === false ) {
			return null;
		}
		[ $count, $seconds ] = is_array( $limit ) ? array_values( $limit ) + [ 0, 0 ] : [ 0, 0 ];
		if ( !is_numeric( $count ) || !is_numeric( $seconds ) || $count <= 0 || $seconds <= 0 ) {
			// MediaWiki takes 0 as never, and fails over what is not a limit.
			return [ 'count' => 0, 'seconds' => 1 ];
		}
		return [ 'count' => (int)$count, 'seconds' => (int)ceil( (float)$seconds ) ];
	}

	/**
	 * @param array{count:int,seconds:int} $a
	 * @param array{count:int,seconds:int} $b
	 * @return int Below 0: $a allows less
	 */
	private function compare( array $a, array $b ): int {
		return $a['count'] / $a['seconds'] <=> $b['count'] / $b['seconds'] ?: $a['count'] <=> $b['count'];
	}
}
