<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Integration;

use FauxRequest;
use MediaWiki\Config\ServiceOptions;
use MediaWiki\Extension\WebSocket\SendRate;
use MediaWikiIntegrationTestCase;
use RequestContext;
use User;

/**
 * @covers \MediaWiki\Extension\WebSocket\SendRate
 * @group Database
 */
class SendRateTest extends MediaWikiIntegrationTestCase {
	private const ENOUGH = 12;

	private static int $networks = 0;

	public static function limits(): array {
		return [
			[ [ 'ip' => [ 3, 600 ], 'newbie' => [ 4, 600 ], 'user' => [ 6, 600 ] ] ],
			[ [ 'ip' => [ 4, 600 ], 'newbie' => [ 3, 600 ], 'user' => [ 2, 600 ] ] ],
			[ [ 'user' => [ 6, 600 ], 'bot' => [ 8, 600 ], 'sysop' => [ 5, 600 ] ] ],
			[ [ 'anon' => [ 2, 600 ], 'user-global' => [ 3, 600 ] ] ],
			[ [ 'ip-all' => [ 3, 600 ], 'user' => [ 5, 600 ], 'subnet-all' => [ 9, 600 ] ] ],
			[ [ 'ip-all' => [ 7, 600 ], 'user' => [ 5, 600 ] ] ],
			[ [ 'ip' => [ 0, 600 ] ] ],
			[ [ 'user' => [ 2, 600 ], '&can-bypass' => false ] ],
			[ [] ],
		];
	}

	private function allowedByMediaWiki( User $user ): int {
		for ( $i = 0; $i < self::ENOUGH; $i++ ) {
			if ( $user->pingLimiter( 'websocket-send' ) ) {
				return $i;
			}
		}
		return self::ENOUGH;
	}

	private function allowedByToken( User $user ): int {
		$services = $this->getServiceContainer();
		$rate = new SendRate(
			new ServiceOptions( SendRate::CONSTRUCTOR_OPTIONS, $services->getMainConfig() ),
			$services->getGroupPermissionsLookup(),
			static fn () => $services->getUserGroupManager()
		);
		return $rate->forAuthority( $user, $user->getRequest()->getIP() )['count'] ?? self::ENOUGH;
	}

	/**
	 * @dataProvider limits
	 */
	public function testTokenAllowsMoreThanMediaWikisLimiter( array $limits ): void {
		$this->overrideConfigValue( 'RateLimits', [ 'websocket-send' => $limits ] );
		$this->setGroupPermissions( 'bot', 'noratelimit', false );
		$this->setGroupPermissions( 'sysop', 'noratelimit', true );
		foreach ( [ [], [ 'bot' ], [ 'sysop' ], [ 'bot', 'bureaucrat' ] ] as $groups ) {
			$this->check( $this->getMutableTestUser( $groups )->getUser(), implode( ' ', $groups ) );
		}
		$this->check( $this->getServiceContainer()->getUserFactory()->newAnonymous( '127.0.0.1' ), 'visitor' );
		$this->overrideConfigValue( 'AutoConfirmCount', 1000 );
		$this->check( $this->getMutableTestUser()->getUser(), 'newbie' );
	}

	private function check( User $user, string $who ): void {
		// Limits for addresses and networks count everybody there.
		$request = new FauxRequest();
		$request->setIP( '10.7.' . self::$networks++ . '.7' );
		RequestContext::getMain()->setRequest( $request );
		$this->assertSame( $this->allowedByMediaWiki( $user ), $this->allowedByToken( $user ), $who );
	}
}
