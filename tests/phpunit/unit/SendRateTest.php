<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\SendRate;
use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Permissions\SimpleAuthority;
use MediaWiki\User\UserGroupManager;
use MediaWiki\User\UserIdentityValue;
use MediaWikiUnitTestCase;

/**
 * That it is what MediaWiki's own limiter allows, is in integration/SendRateTest.php.
 *
 * @covers \MediaWiki\Extension\WebSocket\SendRate
 */
class SendRateTest extends MediaWikiUnitTestCase {
	private function rate( $limits, array $groups = [], array $publicRights = [] ): SendRate {
		$manager = $this->createMock( UserGroupManager::class );
		$manager->method( 'getUserGroups' )->willReturn( $groups );
		return new SendRate(
			Fixtures::options( SendRate::CONSTRUCTOR_OPTIONS, [
				'RateLimits' => $limits === null ? [] : [ 'websocket-send' => $limits ],
				'RateLimitsExcludedIPs' => [ '10.0.0.0/8' ],
			] ),
			Fixtures::groupPermissions( $publicRights ),
			static fn () => $manager
		);
	}

	/** @return string "count/seconds", or "none" */
	private function text( ?array $rate ): string {
		return $rate === null ? 'none' : "$rate[count]/$rate[seconds]";
	}

	public static function people(): array {
		$default = [ 'ip' => [ 300, 60 ], 'newbie' => [ 290, 60 ], 'user' => [ 1200, 60 ] ];
		return [
			// limits, newbie, user, user in a group, visitor
			'as the extension has them' => [ $default, '290/60', '1200/60', '1200/60', '300/60' ],
			'none' => [ null, 'none', 'none', 'none', 'none' ],
			'turned off' => [ [ 'ip' => false, 'user' => false ], 'none', 'none', 'none', 'none' ],
			'more for the group' => [
				$default + [ 'bot' => [ 2000, 60 ] ], '290/60', '1200/60', '2000/60', '300/60'
			],
			'less for the group' => [
				$default + [ 'bot' => [ 100, 60 ] ], '290/60', '1200/60', '1200/60', '300/60'
			],
			'for the group only' => [ [ 'bot' => [ 5, 1 ] ], 'none', 'none', '5/1', 'none' ],
			'for the whole farm' => [
				$default + [ 'user-global' => [ 100, 60 ] ], '100/60', '100/60', '100/60', '300/60'
			],
			'for all visitors together' => [
				$default + [ 'anon' => [ 100, 60 ] ], '290/60', '1200/60', '1200/60', '100/60'
			],
			'for an address, whoever it is' => [
				$default + [ 'ip-all' => [ 10, 60 ] ], '10/60', '1200/60', '1200/60', '10/60'
			],
			'for nobody but an address' => [ [ 'subnet-all' => [ 10, 60 ] ], '10/60', '10/60', '10/60', '10/60' ],
			'for a network' => [ [ 'subnet' => [ 10, 60 ] ], '10/60', 'none', 'none', '10/60' ],
			'the same in a shorter time' => [
				[ 'ip' => [ 60, 60 ], 'newbie' => [ 1, 1 ] ], '1/1', 'none', 'none', '60/60'
			],
			'nobody' => [ [ 'ip' => [ 0, 60 ], 'user' => [ 0, 60 ] ], '0/1', '0/1', '0/1', '0/1' ],
			'nonsense' => [ [ 'ip' => 'often', 'user' => [ 'x', 'y' ] ], '0/1', '0/1', '0/1', '0/1' ],
			'no number of seconds' => [ [ 'ip' => [ 5 ], 'user' => [ 5, 0 ] ], '0/1', '0/1', '0/1', '0/1' ],
			'fractions' => [ [ 'ip' => [ '5', 0.5 ], 'user' => [ 5.9, '1.5' ] ], '5/2', '5/2', '5/2', '5/1' ],
		];
	}

	/**
	 * @dataProvider people
	 */
	public function testMatrix( $limits, string $newbie, string $user, string $bot, string $visitor ): void {
		$person = new UserIdentityValue( 7, 'Person' );
		$old = new SimpleAuthority( $person, [ 'autoconfirmed' ] );
		$new = new SimpleAuthority( $person, [] );
		$nobody = new SimpleAuthority( new UserIdentityValue( 0, '192.0.2.1' ), [] );
		$this->assertSame( $newbie, $this->text( $this->rate( $limits )->forAuthority( $new, '192.0.2.1' ) ) );
		$this->assertSame( $user, $this->text( $this->rate( $limits )->forAuthority( $old, '192.0.2.1' ) ) );
		$this->assertSame( $bot, $this->text( $this->rate( $limits, [ 'bot' ] )->forAuthority( $old, '192.0.2.1' ) ) );
		$this->assertSame( $visitor, $this->text( $this->rate( $limits )->forAuthority( $nobody, '192.0.2.1' ) ) );
		$this->assertSame( $visitor, $this->text( $this->rate( $limits )->forPublic() ) );
	}

	public function testExemptions(): void {
		$limits = [ 'ip' => [ 3, 60 ], 'user' => [ 3, 60 ] ];
		$exempt = new SimpleAuthority( new UserIdentityValue( 7, 'Person' ), [ 'noratelimit' ] );
		$person = new SimpleAuthority( new UserIdentityValue( 7, 'Person' ), [] );
		$this->assertNull( $this->rate( $limits )->forAuthority( $exempt, '192.0.2.1' ) );
		$this->assertNull( $this->rate( $limits )->forAuthority( $person, '10.1.2.3' ) );
		$this->assertNotNull( $this->rate( $limits )->forAuthority( $person, '11.1.2.3' ) );
		$this->assertNull( $this->rate( $limits, [], [ 'noratelimit' => true ] )->forPublic() );
		$this->assertNull(
			$this->rate( [ 'ip' => [ 3, 60 ] ], [], [ 'autoconfirmed' => true ] )->forPublic(),
			'MediaWiki does not apply it to those who are no newbies'
		);
		$forAll = $limits + [ '&can-bypass' => false ];
		$this->assertNotNull( $this->rate( $forAll )->forAuthority( $exempt, '10.1.2.3' ) );
		$this->assertNotNull( $this->rate( $forAll, [], [ 'noratelimit' => true ] )->forPublic() );
	}
}
