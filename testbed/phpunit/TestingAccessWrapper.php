<?php
namespace Wikimedia;

/**
 * Reaches non-public members in tests; stands in for wikimedia/testing-access-wrapper, which Debian does not have.
 */
class TestingAccessWrapper {
	/** @var object|null The wrapped object; null when only static members are reached */
	public $object;
	/** @var string */
	private $class;

	public static function newFromObject( $object ) {
		$wrapper = new self();
		$wrapper->object = $object;
		$wrapper->class = get_class( $object );
		return $wrapper;
	}

	public static function newFromClass( $class ) {
		$wrapper = new self();
		$wrapper->class = $class;
		return $wrapper;
	}

	public static function construct( $class, ...$args ) {
		$object = ( new \ReflectionClass( $class ) )->newInstanceWithoutConstructor();
		( new \ReflectionMethod( $class, '__construct' ) )->invoke( $object, ...$args );
		return $object;
	}

	/**
	 * @param string $has Name of the reflection method that says whether a class has the member
	 * @param string $get Name of the one that returns it
	 * @param string $name
	 * @return \ReflectionMethod|\ReflectionProperty
	 */
	private function member( $has, $get, $name ) {
		// Private members of a parent are found only on the parent.
		for ( $class = new \ReflectionClass( $this->class ); $class; $class = $class->getParentClass() ) {
			if ( $class->$has( $name ) ) {
				return $class->$get( $name );
			}
		}
		throw new \ReflectionException( "{$this->class} has no $name" );
	}

	public function __call( $method, $args ) {
		return $this->member( 'hasMethod', 'getMethod', $method )->invokeArgs( $this->object, $args );
	}

	public function &__get( $name ) {
		$property = $this->member( 'hasProperty', 'getProperty', $name );
		$value = $property->isStatic() ? $property->getValue() : $property->getValue( $this->object );
		return $value;
	}

	public function __set( $name, $value ) {
		$property = $this->member( 'hasProperty', 'getProperty', $name );
		if ( $property->isStatic() ) {
			$property->setValue( null, $value );
		} else {
			$property->setValue( $this->object, $value );
		}
	}
}
